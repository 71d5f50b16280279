using System.Text;

namespace DermKit.Data;

/// <summary>
/// Letters with marks, written as one character or as a letter and its marks: macOS stores names in the second form,
/// most other systems in the first.
/// <see cref="string.Normalize()"/> leaves both as they are where globalization is invariant, as in this kit's own
/// host: there Latin, Greek, Cyrillic, kana and Hangul are composed, elsewhere every script.
/// </summary>
internal static class Letters
{
    private const int HangulFirst = 0xAC00, HangulLast = 0xD7A3, Lead = 0x1100, Vowel = 0x1161, Tail = 0x11A7,
        Vowels = 21, Tails = 28;

    /// <summary>
    /// A mark, then pairs of a letter and the same letter with the mark: canonical compositions of Latin, Greek,
    /// Cyrillic and kana (Unicode 15).
    /// </summary>
    private static readonly string[] Table =
    [
        "\u0300AÀEÈIÌOÒUÙaàeèiìoòuùÜǛüǜNǸnǹЕЀИЍеѐиѝĒḔēḕŌṐōṑWẀwẁÂẦâầĂẰăằÊỀêềÔỒôồƠỜơờƯỪưừYỲyỳ",
        "\u0301AÁEÉIÍOÓUÚYÝaáeéiíoóuúyýCĆcćLĹlĺNŃnńRŔrŕSŚsśZŹzźÜǗüǘGǴgǵÅǺåǻÆǼæǽØǾøǿ¨΅ΑΆΕΈΗΉΙΊΟΌΥΎΩΏϊΐαάεέηήιίϋΰ",
        "\u0301οόυύωώϒϓГЃКЌгѓкќÇḈçḉĒḖēḗÏḮïḯKḰkḱMḾmḿÕṌõṍŌṒōṓPṔpṕŨṸũṹWẂwẃÂẤâấĂẮăắÊẾêếÔỐôốƠỚơớƯỨưứ",
        "\u0302AÂEÊIÎOÔUÛaâeêiîoôuûCĈcĉGĜgĝHĤhĥJĴjĵSŜsŝWŴwŵYŶyŷZẐzẑẠẬạậẸỆẹệỌỘọộ",
        "\u0303AÃNÑOÕaãnñoõIĨiĩUŨuũVṼvṽÂẪâẫĂẴăẵEẼeẽÊỄêễÔỖôỗƠỠơỡƯỮưữYỸyỹ",
        "\u0308AÄEËIÏOÖUÜaäeëiïoöuüyÿYŸΙΪΥΫιϊυϋϒϔЕЁІЇеёіїАӒаӓӘӚәӛЖӜжӝЗӞзӟИӤиӥОӦоӧӨӪөӫЭӬэӭУӰуӱЧӴчӵЫӸыӹHḦhḧÕṎõṏŪṺ",
        "\u0308ūṻWẄwẅXẌxẍtẗ",
        "\u030aAÅaåUŮuůwẘyẙ",
        "\u0327CÇcçGĢgģKĶkķLĻlļNŅnņRŖrŗSŞsşTŢtţEȨeȩDḐdḑHḨhḩ",
        "\u0304AĀaāEĒeēIĪiīOŌoōUŪuūÜǕüǖÄǞäǟȦǠȧǡÆǢæǣǪǬǫǭÖȪöȫÕȬõȭȮȰȯȱYȲyȳИӢиӣУӮуӯGḠgḡḶḸḷḹṚṜṛṝ",
        "\u0306AĂaăEĔeĕGĞgğIĬiĭOŎoŏUŬuŭУЎИЙийуўЖӁжӂАӐаӑЕӖеӗȨḜȩḝẠẶạặ",
        "\u0328AĄaąEĘeęIĮiįUŲuųOǪoǫ",
        "\u0307CĊcċEĖeėGĠgġIİZŻzżAȦaȧOȮoȯBḂbḃDḊdḋFḞfḟHḢhḣMṀmṁNṄnṅPṖpṗRṘrṙSṠsṡŚṤśṥŠṦšṧṢṨṣṩTṪtṫWẆwẇXẊxẋYẎyẏſẛ",
        "\u030cCČcčDĎdďEĚeěLĽlľNŇnňRŘrřSŠsšTŤtťZŽzžAǍaǎIǏiǐOǑoǒUǓuǔÜǙüǚGǦgǧKǨkǩƷǮʒǯjǰHȞhȟ",
        "\u030bOŐoőUŰuűУӲуӳ",
        "\u031bOƠoơUƯuư",
        "\u030fAȀaȁEȄeȅIȈiȉOȌoȍRȐrȑUȔuȕѴѶѵѷ",
        "\u0311AȂaȃEȆeȇIȊiȋOȎoȏRȒrȓUȖuȗ",
        "\u0326SȘsșTȚtț",
        "\u0325AḀaḁ",
        "\u0323BḄbḅDḌdḍHḤhḥKḲkḳLḶlḷMṂmṃNṆnṇRṚrṛSṢsṣTṬtṭVṾvṿWẈwẉZẒzẓAẠaạEẸeẹIỊiịOỌoọƠỢơợUỤuụƯỰưựYỴyỵ",
        "\u0331BḆbḇDḎdḏKḴkḵLḺlḻNṈnṉRṞrṟTṮtṯZẔzẕhẖ",
        "\u032dDḒdḓEḘeḙLḼlḽNṊnṋTṰtṱUṶuṷ",
        "\u0330EḚeḛIḬiḭUṴuṵ",
        "\u032eHḪhḫ",
        "\u0324UṲuṳ",
        "\u0309AẢaảÂẨâẩĂẲăẳEẺeẻÊỂêểIỈiỉOỎoỏÔỔôổƠỞơởUỦuủƯỬưửYỶyỷ",
        "\u3099かがきぎくぐけげこごさざしじすずせぜそぞただちぢつづてでとどはばひびふぶへべほぼうゔゝゞカガキギクグケゲコゴサザシジスズセゼソゾタダチヂツヅテデトドハバヒビフブヘベホボウヴワヷヰヸヱヹヲヺヽヾ",
        "\u309aはぱひぴふぷへぺほぽハパヒピフプヘペホポ",
    ];

    private static readonly Dictionary<(char Letter, char Mark), char> Compositions = Table
        .SelectMany(line => line.Skip(1).Chunk(2).Select(pair => (line[0], pair)))
        .ToDictionary(p => (p.pair[0], p.Item1), p => p.pair[1]);

    /// <summary>The text with each letter and the marks behind it as one character, where there is one.</summary>
    internal static string Composed(string text)
    {
        if (text.All(char.IsAscii)) return text;
        // Half a surrogate pair, which a file's name may hold, is no text that can be normalised.
        if (!text.Any(char.IsSurrogate)) text = text.Normalize(NormalizationForm.FormC);
        var composed = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            if (composed.Length > 0 && One(composed[^1], c) is { } one) composed[^1] = one;
            else composed.Append(c);
        }
        return composed.ToString();
    }

    private static char? One(char letter, char mark)
    {
        if (Compositions.TryGetValue((letter, mark), out char one)) return one;
        int vowel = mark - Vowel, tail = mark - Tail;
        if (letter - Lead is >= 0 and < 19 and var lead
            && vowel is >= 0 and < Vowels) return (char)(HangulFirst + (lead * Vowels + vowel) * Tails);
        return letter is >= (char)HangulFirst and <= (char)HangulLast && (letter - HangulFirst) % Tails == 0
            && tail is > 0 and < Tails ? (char)(letter + tail) : null;
    }
}
