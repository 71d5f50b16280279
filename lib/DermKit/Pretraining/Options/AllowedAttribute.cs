namespace DermKit.Pretraining;

/// <summary>The range of a numeric key of <see cref="PretrainOptions"/>, both ends included.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class AllowedAttribute(double min, double max = double.PositiveInfinity) : Attribute
{
    /// <summary>True excludes the smallest value.</summary>
    public bool IsMinExcluded { get; set; }

    /// <summary>True excludes the largest value.</summary>
    public bool IsMaxExcluded { get; set; }

    /// <summary>The meaning of 0 in messages; null for the number itself.</summary>
    public string? Zero { get; set; }

    internal bool Allows(object value)
    {
        double number = Convert.ToDouble(value, CultureInfo.InvariantCulture);
        bool isAbove = IsMinExcluded ? number > min : number >= min;
        return isAbove && (IsMaxExcluded ? number < max : number <= max);
    }

    /// <summary>The range in words.</summary>
    public override string ToString()
    {
        string from = string.Create(CultureInfo.InvariantCulture, $"{min}{(Zero is null ? "" : $" ({Zero})")}");
        string to = max.ToString(CultureInfo.InvariantCulture);
        if (double.IsPositiveInfinity(max)) return IsMinExcluded ? $"above {from}" : $"{from} or more";
        if (IsMinExcluded) return $"above {from}, at most {to}";
        return IsMaxExcluded ? $"{from} to below {to}" : $"{from} to {to}";
    }
}
