using System.Collections.Immutable;

namespace DermKit.Notebooks;

/// <summary>Resolves references once; the compiler would read and keep their metadata again for each cell.</summary>
internal sealed class CachingReferenceResolver(MetadataReferenceResolver inner) : MetadataReferenceResolver
{
    private readonly ConcurrentDictionary<(string, string?, MetadataReferenceProperties),
        ImmutableArray<PortableExecutableReference>> _named = new();

    private readonly ConcurrentDictionary<AssemblyIdentity, PortableExecutableReference> _missing = new();

    public override bool ResolveMissingAssemblies => inner.ResolveMissingAssemblies;

    public override ImmutableArray<PortableExecutableReference> ResolveReference(string reference,
        string? baseFilePath, MetadataReferenceProperties properties)
    {
        var key = (reference, baseFilePath, properties);
        if (!_named.TryGetValue(key, out var found))
            found = inner.ResolveReference(reference, baseFilePath, properties);
        // A missing file may exist for a later cell.
        return found.IsDefaultOrEmpty ? found : _named.GetOrAdd(key, found);
    }

    public override PortableExecutableReference? ResolveMissingAssembly(MetadataReference definition,
        AssemblyIdentity referenceIdentity)
    {
        if (_missing.TryGetValue(referenceIdentity, out PortableExecutableReference? known)) return known;
        PortableExecutableReference? found = inner.ResolveMissingAssembly(definition, referenceIdentity);
        return found is null ? null : _missing.GetOrAdd(referenceIdentity, found);
    }

    public override bool Equals(object? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => inner.GetHashCode();
}
