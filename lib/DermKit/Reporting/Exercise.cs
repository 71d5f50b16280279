using System.Globalization;

namespace DermKit.Reporting;

/// <summary>Blanks and checks of the workshop's notebooks: an exercise stops where something is to be filled in, and says so.</summary>
public static class Exercise
{
    /// <summary>Stands where an answer is to go.</summary>
    /// <typeparam name="T">The answer's type.</typeparam>
    /// <param name="what">What is asked for, in a sentence.</param>
    /// <exception cref="KitException">Always: says what to fill in.</exception>
    public static T Blank<T>(string what) =>
        throw new KitException($"A blank to fill in: {what} Put your answer in the place of Exercise.Blank<{Name(typeof(T))}>(..) and run the cell again.");

    /// <summary>Compares an answer with the expected one.</summary>
    /// <param name="what">What was asked for, without a full stop.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="expected">The expected one.</param>
    /// <param name="hint">What to think of, for a wrong answer.</param>
    /// <param name="tolerance">Largest relative difference that counts as right.</param>
    /// <returns>A sentence for a right answer.</returns>
    /// <exception cref="KitException">The answer is another; the message holds the hint and not the expected answer.</exception>
    public static string Check(string what, double answer, double expected, string hint, double tolerance = 0.005) =>
        Math.Abs(answer - expected) <= tolerance * Math.Abs(expected) ? Right(what, answer) : throw Wrong(what, answer, hint);

    /// <summary>Compares a text with the expected one, whatever the case of its letters.</summary>
    /// <exception cref="KitException">The answer is another.</exception>
    public static string Check(string what, string answer, string expected, string hint) =>
        string.Equals(answer.Trim(), expected, StringComparison.OrdinalIgnoreCase) ? Right(what, answer) : throw Wrong(what, answer, hint);

    private static string Right(string what, IConvertible answer) => $"Right: {what} is {answer.ToString(CultureInfo.InvariantCulture)}.";

    private static KitException Wrong(string what, IConvertible answer, string hint) => new($"Not yet: {what} is not {answer.ToString(CultureInfo.InvariantCulture)}. {hint}");

    private static string Name(Type type) => type == typeof(double) ? "double" : type == typeof(int) ? "int" : type == typeof(string) ? "string" : type.Name;
}
