using System.Diagnostics;
using System.Runtime.InteropServices;

namespace DermKit.Cli;

internal static class JupyterCommand
{
    internal static Command Create() =>
        new("jupyter", "Runs the notebooks in Jupyter clients, such as VS Code") { Install(), Run() };

    private static Command Install()
    {
        var name = Option<string?>("--name",
            $"Name of the kernel (default: {KernelSpec.DefaultName}, which the kit's notebooks name)");
        var user = Option<bool>("--user", "Installs for this user (the default)");
        var prefix = Option<string?>("--prefix",
            "Installs in DIR/share/jupyter, such as a Python environment or /usr/local");
        var force = Option<bool>("--force", "Replaces another program's kernel of that name");
        var command = new Command("install", "Writes a kernelspec that starts this clone's kit")
        {
            name, user, prefix, force
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(user) && result.GetValue(prefix) is not null)
                result.AddError("--user and --prefix name two places; choose one.");
        });
        command.SetAction(parsed =>
        {
            string data = parsed.GetValue(prefix) is { } folder
                ? Path.Combine(Path.GetFullPath(folder), "share", "jupyter") : KernelSpec.UserData();
            string chosen = parsed.GetValue(name) ?? KernelSpec.DefaultName;
            string file = KernelSpec.Install(KitSettings.FromEnvironment().Root, chosen, data, parsed.GetValue(force));
            Console.WriteLine($"{file}\nOpen a notebook in VS Code (Jupyter extension: Select Kernel, Jupyter Kernel) "
                + $"or a Jupyter client and choose the kernel {chosen}; or run one with: jupyter nbconvert --to "
                + "notebook --execute NOTEBOOK");
        });
        return command;
    }

    private static Command Run()
    {
        var connection = Option<string>("--connection", "The connection file of the client");
        connection.Required = true;
        var command = new Command("run", "Runs the kernel; Jupyter clients start it by the kernelspec") { connection };
        command.SetAction(async (parsed, _) =>
        {
            ConnectionFile file = ConnectionFile.Read(parsed.GetValue(connection)!);
            using var kernel = new Kernel(file, KitSettings.FromEnvironment().Root, Environment.CurrentDirectory);
            // A signal stops the cell and not the kernel.
            using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
            {
                context.Cancel = true;
                kernel.Interrupt();
            });
            using var end = new CancellationTokenSource();
            Task client = EndWithClientAsync(end.CancelAsync, end.Token);
            try
            {
                await kernel.RunAsync(end.Token);
            }
            finally
            {
                await end.CancelAsync();
                await client;
            }
            return 0;
        });
        return command;
    }

    // Ends the kernel with its client: a killed client sends no shutdown request.
    private static async Task EndWithClientAsync(Func<Task> end, CancellationToken cancellation)
    {
        if (!int.TryParse(Environment.GetEnvironmentVariable("JPY_PARENT_PID"), CultureInfo.InvariantCulture,
            out int id) || id <= 1) return;
        try
        {
            using Process client = Process.GetProcessById(id);
            await client.WaitForExitAsync(cancellation);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or OperationCanceledException)
        {
            // It has ended already, or the kernel has.
        }
        await end();
    }
}
