namespace DermKit.Reporting;

/// <summary>Averages pairs of neighbours when it has <paramref name="most"/> points (even, 4 or more).</summary>
internal sealed class ThinnedLine(string name, int most = 240)
{
    private readonly List<(double X, double Y)> _points = [];
    private int _stride = 1;
    private int _pending;
    private double _sumX;
    private double _sumY;

    internal string Name { get; } = name;

    internal double First { get; private set; } = double.NaN;

    internal double Last { get; private set; } = double.NaN;

    // Means of equally many neighbours; the last one may be of fewer.
    internal IReadOnlyList<(double X, double Y)> Points => _pending == 0 ? _points : [.. _points, Mean()];

    // Ignores a value that is not finite.
    internal void Add(double x, double y)
    {
        if (!double.IsFinite(y)) return;
        if (double.IsNaN(First)) First = y;
        Last = y;
        _sumX += x;
        _sumY += y;
        if (++_pending < _stride) return;
        _points.Add(Mean());
        _sumX = 0;
        _sumY = 0;
        _pending = 0;
        if (_points.Count == most) Halve();
    }

    private (double X, double Y) Mean() => (_sumX / _pending, _sumY / _pending);

    private void Halve()
    {
        for (int i = 0; i < most / 2; i++)
        {
            (double x, double y) = _points[2 * i];
            (double nextX, double nextY) = _points[2 * i + 1];
            _points[i] = ((x + nextX) / 2, (y + nextY) / 2);
        }
        _points.RemoveRange(most / 2, most / 2);
        _stride *= 2;
    }
}
