using NetMQ;
using NetMQ.Sockets;
using System.Numerics;

namespace DermKit.Cli.Jupyter;

/// <summary>The five sockets of a kernel on one thread of their own: takes signed requests, sends from any thread, gives back heartbeats.</summary>
internal sealed class KernelSockets : IDisposable
{
    private readonly RouterSocket _shell = new(), _control = new(), _input = new();
    private readonly PublisherSocket _publish = new();
    private readonly ResponseSocket _heartbeat = new();
    private readonly NetMQQueue<(NetMQSocket? Socket, IReadOnlyList<byte[]> Frames, TaskCompletionSource? Sent)> _outgoing = new();
    private readonly NetMQPoller _poller;
    private readonly byte[] _key;

    /// <param name="connection">Addresses and key.</param>
    /// <param name="shell">Takes requests of the shell channel, on the sockets' thread: it must not wait.</param>
    /// <param name="control">Takes requests of the control channel, likewise.</param>
    /// <exception cref="KitException">A port is in use.</exception>
    internal KernelSockets(ConnectionFile connection, Action<JupyterMessage> shell, Action<JupyterMessage> control)
    {
        _key = connection.Key;
        // A slow client must not lose outputs; the text that a cell prints is limited elsewhere.
        _publish.Options.SendHighWatermark = 0;
        (NetMQSocket Socket, int Port)[] sockets = [(_shell, connection.Shell), (_publish, connection.Publish), (_input, connection.Input), (_control, connection.Control), (_heartbeat, connection.Heartbeat)];
        foreach ((NetMQSocket socket, int port) in sockets)
        {
            // A reply to a shutdown request is still to be sent when the sockets close.
            socket.Options.Linger = TimeSpan.FromSeconds(1);
            try
            {
                socket.Bind($"tcp://{connection.Address}:{port}");
            }
            catch (NetMQException e)
            {
                foreach ((NetMQSocket opened, _) in sockets) opened.Dispose();
                _outgoing.Dispose();
                throw new KitException($"Port {port} on {connection.Address} cannot be had ({e.ErrorCode}); is another kernel running on the same connection file? Each kernel needs a file of its own.", e);
            }
        }
        _shell.ReceiveReady += (_, e) => Receive(e.Socket, shell);
        _control.ReceiveReady += (_, e) => Receive(e.Socket, control);
        _input.ReceiveReady += (_, e) => Receive(e.Socket, _ => { });
        _heartbeat.ReceiveReady += (_, e) => e.Socket.SendMultipartMessage(e.Socket.ReceiveMultipartMessage());
        _outgoing.ReceiveReady += (_, e) =>
        {
            while (e.Queue.TryDequeue(out var next, TimeSpan.Zero))
            {
                next.Socket?.SendMultipartBytes(next.Frames);
                next.Sent?.SetResult();
            }
        };
        _poller = [_shell, _control, _input, _heartbeat, _outgoing];
    }

    /// <summary>Begins to take and to send; who takes requests may send from then on.</summary>
    internal void Start() => _poller.RunAsync("Jupyter sockets");

    /// <summary>How many messages were no messages or had another key's signature.</summary>
    internal int Dropped { get; private set; }

    internal void Reply(bool control, JupyterMessage message) => _outgoing.Enqueue((control ? _control : _shell, message.ToFrames(_key), null));

    internal void Publish(JupyterMessage message) => _outgoing.Enqueue((_publish, message.ToFrames(_key), null));

    /// <summary>Ends when all that was handed over before is on its way.</summary>
    internal Task FlushAsync()
    {
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _outgoing.Enqueue((null, [], sent));
        return sent.Task;
    }

    public void Dispose()
    {
        _poller.Dispose();
        foreach (IDisposable socket in new IDisposable[] { _shell, _control, _input, _publish, _heartbeat, _outgoing }) socket.Dispose();
    }

    private void Receive(NetMQSocket socket, Action<JupyterMessage> take)
    {
        if (JupyterMessage.Read([.. socket.ReceiveMultipartMessage().Select(f => f.ToByteArray())], _key) is { } message)
        {
            take(message);
            return;
        }
        // Not a line for each, or a stranger could fill the client's log.
        if (BitOperations.IsPow2(++Dropped)) Console.Error.WriteLine($"kit jupyter: dropped a message without the signature of this kernel's key; {Dropped} so far.");
    }
}
