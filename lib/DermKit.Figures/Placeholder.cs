namespace DermKit.Figures;
internal static class Placeholder { }
