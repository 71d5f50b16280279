using System.Net;
using System.Net.Http.Headers;

namespace DermKit.Data;

/// <summary>Fetches one file: continues a part (Range), checks length and SHA-256, then names it. Until then it is
/// &lt;name&gt;.part beside the server's version mark, so that parts of two versions are never joined. The client's
/// time limit must not cut long bodies.</summary>
internal sealed class Download(HttpClient http, int attempts = 5, TimeSpan? pause = null)
{
    private const string SeePage = "see the set's page for its current address";

    // Returns at once if the right file is there. Progress: bytes present, in all (or null). Errors keep what arrived.
    public async Task<string> Fetch(SourceFile file, string folder, Action<long, long?>? progress = null,
        CancellationToken cancellation = default)
    {
        string path = Path.Combine(folder, file.Name), part = path + ".part";
        Directory.CreateDirectory(folder);
        if (File.Exists(path))
        {
            Check(file, path, "is there already", "move it away, then fetch again");
            return path;
        }
        if (file.Bytes is { } bytes && new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace is var free
            && free < bytes - Length(part))
            throw new KitException($"{folder}: {file.Name} needs {bytes - Length(part)} bytes, {free} are free; make "
                + "room, or name another folder with KIT_DATA_DIR.");
        for (int attempt = 1; ; attempt++)
        {
            long before = Length(part);
            try
            {
                if (await Attempt(file, part, progress, cancellation)) break;
            }
            catch (Exception e) when (e is HttpRequestException or HttpIOException or IOException && !FullDisk.Is(e)
                || e is TaskCanceledException && !cancellation.IsCancellationRequested)
            {
                // A connection that brought data resets the count.
                if (Length(part) > before) attempt = 1;
                if (attempt >= attempts)
                    throw new KitException($"{file.Address}: the connection broke {attempts} times ({e.Message}), "
                        + $"{Length(part)}{(file.Bytes is { } all ? $" of {all}" : "")} bytes are there; the same "
                        + "command continues.", e);
            }
            catch (IOException e) when (FullDisk.Is(e))
            {
                throw new KitException($"{part}: the disk is full, or a quota used up, after {Length(part)} bytes; "
                    + "they stay. Make room, and the same command continues.", e);
            }
            if (attempt >= attempts)
                throw new KitException($"{file.Address}: the server does not say which part it sends; {Length(part)} "
                    + "bytes are there. Try later, or fetch it by hand.");
            await Task.Delay(pause ?? TimeSpan.FromSeconds(2 * attempt), cancellation);
        }
        try
        {
            Check(file, part, "arrived", "it was deleted; fetch again, and if that fails too, " + SeePage);
        }
        catch (KitException)
        {
            Forget(part);
            throw;
        }
        File.Move(part, path);
        Forget(part);
        return path;
    }

    // True when the whole body arrived, false to start again.
    private async Task<bool> Attempt(SourceFile file, string part, Action<long, long?>? progress,
        CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, file.Address);
        // Without a hash, only the server's mark shows that both parts are of one version.
        string? mark = File.Exists(part + ".version")
            ? await File.ReadAllTextAsync(part + ".version", cancellation) : null;
        if (mark is null && file.Sha256 is null) Forget(part);
        long there = Length(part);
        if (file.Bytes is { } whole && there >= whole)
        {
            if (there == whole) return true;
            Forget(part);
            there = 0;
        }
        if (there > 0)
        {
            request.Headers.Range = new(there, null);
            if (mark is not null) request.Headers.TryAddWithoutValidation("If-Range", mark);
        }
        using HttpResponseMessage response = await http.SendAsync(request,
            HttpCompletionOption.ResponseHeadersRead, cancellation);
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable && there > 0)
        {
            // The part is whole if it has the server's length; else the file has changed.
            if (response.Content.Headers.ContentRange?.Length == there) return true;
            Forget(part);
            return false;
        }
        string answer = $"the server answers {(int)response.StatusCode} {response.ReasonPhrase}";
        if (response.StatusCode
            is >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout)
            throw new HttpRequestException(answer);
        if (!response.IsSuccessStatusCode) throw new KitException($"{file.Address}: {answer}; {SeePage}.");
        bool continues = response.StatusCode == HttpStatusCode.PartialContent;
        if (continues && response.Content.Headers.ContentRange?.From != there)
        {
            Forget(part);
            return false;
        }
        // A server without Range sends everything again.
        if (!continues) there = 0;
        long? all = response.Content.Headers.ContentLength is { } length ? there + length : null;
        if (file.Bytes is { } expected && all is not null && all != expected)
        {
            Forget(part);
            throw new KitException(
                $"{file.Address}: expected {expected} bytes, the server offers {all}; {SeePage}.");
        }
        if (!continues)
        {
            // Delete the part before its mark: with a new mark it would be joined to another version.
            Forget(part);
            Remember(part, response.Headers.ETag);
        }
        await using (var stream = new FileStream(part, continues ? FileMode.Append : FileMode.Create, FileAccess.Write,
            FileShare.Read, 1 << 16))
        {
            await using Stream body = await response.Content.ReadAsStreamAsync(cancellation);
            byte[] buffer = new byte[1 << 17];
            for (int read; (read = await body.ReadAsync(buffer, cancellation)) > 0;
                progress?.Invoke(there, all ?? file.Bytes))
            {
                there += read;
                if (there > (file.Bytes ?? long.MaxValue))
                    throw new KitException(
                        $"{file.Address}: expected {file.Bytes} bytes, the server sends more; {SeePage}.");
                await stream.WriteAsync(buffer.AsMemory(0, read), cancellation);
            }
            await stream.FlushAsync(cancellation);
            stream.Flush(flushToDisk: true);
        }
        if (file.Bytes is { } wanted && there < wanted)
            throw new HttpRequestException($"the body ended after {there} of {wanted} bytes");
        return true;
    }

    private static void Check(SourceFile file, string path, string what, string remedy)
    {
        if (file.Bytes is { } bytes && Length(path) != bytes)
            throw new KitException($"{path}: {what}, expected {bytes} bytes, found {Length(path)}; {remedy}.");
        if (file.Sha256 is null) return;
        using FileStream stream = File.OpenRead(path);
        string found = Convert.ToHexStringLower(SHA256.HashData(stream));
        if (found != file.Sha256)
            throw new KitException($"{path}: {what}, expected SHA-256 {file.Sha256}, found {found}; {remedy}.");
    }

    private static void Remember(string part, EntityTagHeaderValue? tag)
    {
        // A weak tag does not promise equal bytes.
        if (tag is { IsWeak: false }) File.WriteAllText(part + ".version", tag.ToString());
        else File.Delete(part + ".version");
    }

    private static void Forget(string part)
    {
        File.Delete(part);
        File.Delete(part + ".version");
    }

    private static long Length(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;
}
