namespace DermKit.Data;

/// <summary>Composes letters and marks, which macOS stores decomposed. Where globalization is invariant, as in this
/// kit's host, <see cref="string.Normalize()"/> does nothing; there Latin, Greek, Cyrillic, kana and Hangul are
/// composed.</summary>
internal static class Letters
{
    private const int HangulFirst = 0xAC00, HangulLast = 0xD7A3, Lead = 0x1100, Vowel = 0x1161, Tail = 0x11A7,
        Vowels = 21, Tails = 28;

    // Lines of a mark, then pairs of a letter without and with it: canonical compositions (Unicode 15). Capitals that
    // follow from their small letters are left out.
    private static readonly string[] Table =
    [
        "\u0300aàeèiìoòuùüǜnǹеѐиѝēḕōṑwẁâầăằêềôồơờưừyỳ",
        "\u0301aáeéiíoóuúyýcćlĺnńrŕsśzźüǘgǵåǻæǽøǿ¨΅ϊΐαάεέηήιίϋΰοόυύωώϒϓгѓкќçḉēḗïḯkḱmḿõṍōṓpṕũṹwẃâấăắêếôốơớưứ",
        "\u0302aâeêiîoôuûcĉgĝhĥjĵsŝwŵyŷzẑạậẹệọộ",
        "\u0303aãnñoõiĩuũvṽâẫăẵeẽêễôỗơỡưữyỹ",
        "\u0308aäeëiïoöuüyÿιϊυϋϒϔеёіїаӓәӛжӝзӟиӥоӧөӫэӭуӱчӵыӹhḧõṏūṻwẅxẍtẗ",
        "\u030aaåuůwẘyẙ",
        "\u0327cçgģkķlļnņrŗsştţeȩdḑhḩ",
        "\u0304aāeēiīoōuūüǖäǟȧǡæǣǫǭöȫõȭȯȱyȳиӣуӯgḡḷḹṛṝ",
        "\u0306aăeĕgğiĭoŏuŭийуўжӂаӑеӗȩḝạặ",
        "\u0328aąeęiįuųoǫ",
        "\u0307cċeėgġIİzżaȧoȯbḃdḋfḟhḣmṁnṅpṗrṙsṡśṥšṧṣṩtṫwẇxẋyẏſẛ",
        "\u030ccčdďeělľnňrřsštťzžaǎiǐoǒuǔüǚgǧkǩʒǯjǰhȟ",
        "\u030boőuűуӳ",
        "\u031boơuư",
        "\u030faȁeȅiȉoȍrȑuȕѵѷ",
        "\u0311aȃeȇiȋoȏrȓuȗ",
        "\u0326sștț",
        "\u0325aḁ",
        "\u0323bḅdḍhḥkḳlḷmṃnṇrṛsṣtṭvṿwẉzẓaạeẹiịoọơợuụưựyỵ",
        "\u0331bḇdḏkḵlḻnṉrṟtṯzẕhẖ",
        "\u032ddḓeḙlḽnṋtṱuṷ",
        "\u0330eḛiḭuṵ",
        "\u032ehḫ",
        "\u0324uṳ",
        "\u0309aảâẩăẳeẻêểiỉoỏôổơởuủưửyỷ",
        "\u3099かがきぎくぐけげこごさざしじすずせぜそぞただちぢつづてでとどはばひびふぶへべほぼうゔゝゞカガキギクグケゲコゴサザシジスズセゼソゾタダチヂツヅテデトドハバヒビフブヘベホボウヴワヷヰヸヱヹヲヺヽヾ",
        "\u309aはぱひぴふぷへぺほぽハパヒピフプヘペホポ",
    ];

    private static readonly Dictionary<(char Letter, char Mark), char> Compositions = Read();

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

    private static Dictionary<(char Letter, char Mark), char> Read()
    {
        var all = new Dictionary<(char Letter, char Mark), char>();
        foreach (string line in Table)
            foreach (char[] pair in line.Skip(1).Chunk(2))
            {
                all[(pair[0], line[0])] = pair[1];
                char capital = char.ToUpperInvariant(pair[1]);
                if (capital != pair[1]) all[(char.ToUpperInvariant(pair[0]), line[0])] = capital;
            }
        return all;
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
