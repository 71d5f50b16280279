namespace DermKit;

internal static class Owned
{
    // What use makes of a resource; the resource is disposed if that fails.
    public static TResult Make<T, TResult>(Func<T> open, Func<T, TResult> use) where T : IDisposable
    {
        T owned = open();
        try
        {
            return use(owned);
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }
}
