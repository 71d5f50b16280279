using DermKit.Data;
using DermKit.Imaging;
using DermKit.Tests.Data;

namespace DermKit.Tests.Imaging;

/// <summary>JPEG files whose data ends early are refused, whole ones of every make are not.</summary>
public sealed class JpegCheckTests
{
    private static readonly byte[] End = [0xFF, 0xD9], Codes = [0xFF, 0xC4], ScanHeader = [0xFF, 0xDA];

    public static TheoryData<string> Kinds => ["baseline", "restarts", "progressive", "encoder"];

    private static byte[] Whole(string kind) => kind switch
    {
        "baseline" => HandMadeJpeg.Sequential(1),
        "restarts" => HandMadeJpeg.Sequential(2, restartInterval: 2),
        "progressive" => HandMadeJpeg.Progressive(3),
        _ => ImageCodec.EncodeJpeg(TestImages.Draw(150, 110, 4)),
    };

    private static void AssertRefused(byte[] file, string what)
    {
        ImageUnreadableException? refused = null;
        try
        {
            ImageCodec.Decode(file);
        }
        catch (ImageUnreadableException e)
        {
            refused = e;
        }
        Assert.True(refused is not null, what);
    }

    [Fact]
    public void ProgressiveAndSequentialCodesOfTheSameCoefficientsGiveTheSamePixels()
    {
        RgbImage sequential = ImageCodec.Decode(HandMadeJpeg.Sequential(7)),
            progressive = ImageCodec.Decode(HandMadeJpeg.Progressive(7));
        Assert.Equal((40, 24), (progressive.Width, progressive.Height));
        Assert.Equal(sequential.Pixels, progressive.Pixels);
        Assert.Equal(sequential.Pixels, ImageCodec.Decode(HandMadeJpeg.Sequential(7, restartInterval: 1)).Pixels);
        Assert.True(sequential.Pixels.Distinct().Count() > 50);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void ACutOrZeroedTailIsRefusedWithAndWithoutAnEndMarker(string kind)
    {
        byte[] whole = Whole(kind);
        ImageCodec.Decode(whole);
        for (int percent = 12; percent <= 99; percent++)
        {
            int at = whole.Length * percent / 100;
            // What carries no code, such as the last bits of padding, may be lost.
            if (at >= whole.Length - 4) break;
            byte[] zeroed = [.. whole[..at], .. new byte[whole.Length - at]];
            AssertRefused(whole[..at], $"cut at {percent} %");
            AssertRefused(zeroed, $"zeroed from {percent} %");
            AssertRefused([.. zeroed[..^2], .. End], $"zeroed from {percent} %, end marker");
            if (at > HandMadeJpeg.Scans(whole)[0]) AssertRefused([.. whole[..at], .. End],
                $"cut at {percent} %, end marker");
        }
        AssertRefused(whole[..^2], "no end marker");
    }

    [Fact]
    public void AFileThatImpliesTheTablesOfTheStandardIsLeftToTheDecoder()
    {
        byte[] whole = HandMadeJpeg.Sequential(1);
        int first = whole.AsSpan().IndexOf(Codes), second = whole.AsSpan().LastIndexOf(Codes),
            scan = whole.AsSpan().IndexOf(ScanHeader);
        byte[] bare = [.. whole[..first], .. whole[scan..]];
        Assert.True(first < second && second < scan);
        Assert.Null(JpegCheck.Fault(whole));
        Assert.Null(JpegCheck.Fault(bare));
        Assert.Contains("no end marker", JpegCheck.Fault(bare[..^2]), StringComparison.Ordinal);
        // One table of the two is no such file.
        Assert.NotNull(JpegCheck.Fault([.. whole[..second], .. whole[scan..]]));
    }

    [Fact]
    public void ScansThatAreMissingAreNamed()
    {
        for (int scans = 1; scans < 8; scans++)
        {
            string reason = Assert.Throws<ImageUnreadableException>(() =>
                ImageCodec.Decode(HandMadeJpeg.Progressive(3, scans))).Reason;
            Assert.Contains($"scans are missing, coefficient {(scans == 7 ? 1 : 0)} of component 1 lacks 1 bits",
                reason);
        }
        ImageCodec.Decode(HandMadeJpeg.Progressive(3, 8));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void WhatStandsBesideTheDataIsNoFault(string kind)
    {
        byte[] whole = Whole(kind), thumbnail = HandMadeJpeg.Sequential(9);
        byte[] pixels = ImageCodec.Decode(whole).Pixels;
        int scan = HandMadeJpeg.Scans(whole)[0];
        Assert.Equal(pixels, ImageCodec.Decode([.. whole, .. new byte[1000], 1, 2, 3]).Pixels);
        Assert.Equal(pixels, ImageCodec.Decode([.. whole, .. thumbnail]).Pixels);
        // An end marker in an EXIF thumbnail is none of the file.
        byte[] exif = [.. "Exif\0\0MM\0*\0\0\0\b\0\0\0\0\0\0"u8, .. thumbnail];
        byte[] two = HandMadeJpeg.WithSegment(HandMadeJpeg.WithSegment(whole, 0xE1, exif), 0xE1,
            [.. "http://ns.adobe.com/xap/1.0/\0"u8, .. new byte[300]]);
        Assert.Equal(pixels, ImageCodec.Decode(two).Pixels);
        AssertRefused(two[..(two.Length - (whole.Length - scan) / 2)], "cut behind a thumbnail");
        Assert.Equal(pixels, ImageCodec.Decode([.. whole[..2], 0xFF, 0xFF, 0xFF, .. whole[2..^2], 0xFF, 0xFF, 0xFF,
            .. End]).Pixels);
    }

    [Fact]
    public void ARestartMarkerThatIsMissingIsNamed()
    {
        byte[] whole = HandMadeJpeg.Sequential(2, restartInterval: 2);
        int at = Enumerable.Range(0, whole.Length - 1).First(i => whole[i] == 0xFF && whole[i + 1] == 0xD0);
        Assert.Contains("a restart marker is missing", Assert.Throws<ImageUnreadableException>(() =>
            ImageCodec.Decode([.. whole[..at], .. whole[(at + 2)..]])).Reason);
    }

    [Theory]
    [InlineData("isic2017"), InlineData("pad-ufes-20"), InlineData("ham10000")]
    public void NoGenuineFileIsRefused(string set)
    {
        KitSettings settings = RealData.Need(set);
        string[] files = Directory.GetFiles(DataSetCatalog.Folder(settings, set)!, "*.jpg",
            SearchOption.AllDirectories);
        Assert.NotEmpty(files);
        Assert.All(files, f => Assert.True(JpegCheck.Fault(File.ReadAllBytes(f)) is null, f));
    }
}
