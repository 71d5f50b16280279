using System.Text;

namespace DermKit.Data;

/// <summary>Composes letters and marks, which macOS stores decomposed. Where globalization is invariant, as in this
/// kit's host, <see cref="string.Normalize()"/> does nothing; there Latin, Greek, Cyrillic, kana and Hangul are
/// composed.</summary>
internal static class Letters
{
    private const int HangulFirst = 0xAC00, HangulLast = 0xD7A3, Lead = 0x1100, Vowel = 0x1161, Tail = 0x11A7,
        Vowels = 21, Tails = 28;

    // Lines of a mark, then pairs of a letter without and with it: canonical compositions (Unicode 15).
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

    internal static string Composed(string text)
    {
        if (text.All(char.IsAscii)) return text;
        // Normalize throws on half a surrogate pair, which a file name may hold.
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
