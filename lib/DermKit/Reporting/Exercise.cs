namespace DermKit.Reporting;

/// <summary>Blanks and checks of the workshop's notebooks.</summary>
public static class Exercise
{
    /// <summary>The place of an answer; throws a message with the question <paramref name="what"/>.</summary>
    /// <exception cref="KitException">Always.</exception>
    public static T Blank<T>(string what) =>
        throw new KitException($"A blank to fill in: {what} Put your answer in the place of "
            + $"Exercise.Blank<{Name(typeof(T))}>(..) and run the cell again.");

    /// <summary>Returns a sentence for an answer within a relative difference, <paramref name="tolerance"/>.</summary>
    /// <exception cref="KitException">The answer is wrong; the message has the hint, not the answer.</exception>
    public static string Check(string what, double answer, double expected, string hint, double tolerance = 0.005) =>
        Check(Math.Abs(answer - expected) <= tolerance * Math.Abs(expected), what, answer, hint);

    /// <summary>Compares a text with the expected one, ignoring case.</summary>
    /// <inheritdoc cref="Check(string, double, double, string, double)"/>
    public static string Check(string what, string answer, string expected, string hint) =>
        Check(string.Equals(answer.Trim(), expected, StringComparison.OrdinalIgnoreCase), what, answer, hint);

    private static string Check(bool isRight, string what, IConvertible answer, string hint)
    {
        string given = answer.ToString(CultureInfo.InvariantCulture);
        return isRight
            ? $"Right: {what} is {given}."
            : throw new KitException($"Not yet: {what} is not {given}. {hint}");
    }

    private static string Name(Type type)
    {
        if (type == typeof(double)) return "double";
        if (type == typeof(int)) return "int";
        return type == typeof(string) ? "string" : type.Name;
    }
}
