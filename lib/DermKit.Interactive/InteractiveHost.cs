using DermKit.Reporting;
using Microsoft.DotNet.Interactive;

namespace DermKit.Interactive;

/// <summary>
/// .NET Interactive as the host of a notebook. Display loads this assembly only where that host runs the process and
/// has loaded its own Microsoft.DotNet.Interactive.
/// </summary>
internal sealed class InteractiveHost : INotebookHost
{
    /// <inheritdoc/>
    public bool IsRunningCell => KernelInvocationContext.Current is not null;

    /// <inheritdoc/>
    public CancellationToken Cancellation =>
        KernelInvocationContext.Current?.CancellationToken ?? CancellationToken.None;

    /// <inheritdoc/>
    /// <remarks>display(x) of that host sends its updates under another id; Display of its context does not.</remarks>
    public Action<DisplayedHtml> Show(DisplayedHtml shown) =>
        KernelInvocationContext.Current.Display(shown, "text/html", "text/plain").Update;
}
