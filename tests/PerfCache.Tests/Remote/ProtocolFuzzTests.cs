// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace PerfCache.Tests.Remote;

/// <summary>
/// Goal: no input breaks a session, and how input is cut into pieces changes nothing. Method: commands made from the
/// grammar with mistakes in them, raw bytes, every truncation, and the system's memcached as the twin.
/// </summary>
internal sealed class ProtocolFuzzTests
{
    private const int Conversations = 60;
    private const int CommandsEach = 60;
    private const int Together = 20;

    [Test]
    public void HowInputIsCutChangesNoAnswer()
    {
        Random random = TestSeed.Random(701);
        for (int conversation = 0; conversation < Conversations; conversation++)
        {
            byte[] input = Encoding.Latin1.GetBytes(string.Concat(
                Enumerable.Range(0, CommandsEach).Select(_ => CommandMaker.Any(random))));
            using SessionTalk whole = new();
            using SessionTalk pieces = new(flushAt: 1 + random.Next(300));
            using SessionTalk single = new(flushAt: 1);
            byte[] expected = whole.Say(input);
            using MemoryStream inPieces = new();
            for (int at = 0; at < input.Length;)
            {
                int length = Math.Min(1 + random.Next(400), input.Length - at);
                inPieces.Write(pieces.Say(input.AsSpan(at, length)));
                at += length;
            }

            using MemoryStream byteByByte = new();
            foreach (byte each in input) byteByByte.Write(single.Say([each]));
            string said = Encoding.Latin1.GetString(input);
            Assert.That(inPieces.ToArray(), Is.EqualTo(expected), said);
            Assert.That(byteByByte.ToArray(), Is.EqualTo(expected), said);
        }
    }

    [Test]
    public void RawBytesNeverThrowAndKeepLittle()
    {
        Random random = TestSeed.Random(702);
        for (int conversation = 0; conversation < 300; conversation++)
        {
            using SessionTalk talk = new();
            for (int piece = 0; piece < 40 && !talk.IsClosed; piece++)
            {
                byte[] bytes = new byte[random.Next(400)];
                random.NextBytes(bytes);
                // Mostly letters of the protocol, or everything would be one unknown line.
                for (int i = 0; i < bytes.Length; i++)
                {
                    if (random.Next(4) > 0) bytes[i] = (byte)"\r\n mgsdaenvtTNRC0123456789set incr"[random.Next(32)];
                }

                talk.Say(bytes);
            }

            Assert.That(talk.KeptBytesMax, Is.LessThan(70 * 1024));
        }
    }

    [Test]
    public void DamagedCommandsAreSurvived()
    {
        Random random = TestSeed.Random(703);
        for (int conversation = 0; conversation < 300; conversation++)
        {
            using SessionTalk talk = new();
            for (int i = 0; i < 30 && !talk.IsClosed; i++)
            {
                byte[] command = Encoding.Latin1.GetBytes(CommandMaker.Any(random));
                for (int change = random.Next(3); change > 0; change--)
                    command[random.Next(command.Length)] = (byte)random.Next(256);
                talk.Say(command);
            }

            Assert.That(talk.KeptBytesMax, Is.LessThan(70 * 1024));
        }
    }

    /// <summary>Run by name, for PERFCACHE_FUZZ_INPUTS commands (10,000,000 by default):
    /// <c>dotnet test tests/PerfCache.Tests -c Release --filter FullyQualifiedName~ProtocolFuzzTests.TenMillion</c>.
    /// A third is as the grammar has it, a third damaged, a third raw bytes.</summary>
    [Test]
    [Explicit("minutes: the number is PERFCACHE_FUZZ_INPUTS")]
    [Category("Stress")]
    public void TenMillionCommandsAreSurvived()
    {
        int inputs = FuzzInputs.Count;
        const int Each = 300;
        FuzzInputs taken = new();
        Parallel.For(0, (inputs + Each - 1) / Each, conversation =>
        {
            if (!taken.TryTake(Each)) return;
            Random random = new(705 + conversation);
            SessionTalk talk = new();
            try
            {
                for (int i = 0; i < Each; i++)
                {
                    byte[] command = Encoding.Latin1.GetBytes(CommandMaker.Any(random));
                    if (random.Next(3) == 0)
                    {
                        for (int change = 1 + random.Next(3); change > 0; change--)
                            command[random.Next(command.Length)] = (byte)random.Next(256);
                    }
                    else if (random.Next(2) == 0)
                    {
                        random.NextBytes(command);
                    }

                    talk.Say(command);
                    if (talk.KeptBytesMax >= 70 * 1024) Assert.Fail($"conversation {conversation} keeps {talk.KeptBytesMax}");
                    if (!talk.IsClosed) continue;
                    talk.Dispose();
                    talk = new SessionTalk();
                }
            }
            finally
            {
                talk.Dispose();
            }
        });
        TestContext.Out.WriteLine($"{taken.Taken} commands");
    }

    [Test]
    public void ATruncatedConversationWaits()
    {
        const string Input = "set a 0 0 3\r\nabc\r\nmg a v k Oq\r\nms b 2 T0 c\r\nhi\r\nincr a 1\r\nget a b\r\nma b N0\r\nme a\r\n";
        for (int length = 0; length < Input.Length; length++)
        {
            using SessionTalk cut = new();
            using SessionTalk whole = new();
            string first = cut.Say(Input[..length]);
            string rest = cut.Say(Input[length..]);
            Assert.That(first + rest, Is.EqualTo(whole.Say(Input)), $"cut at {length}");
        }
    }

    // Memcached changes a number in place or anew, by whether one of its threads holds the item just then, and the mark of a
    // hit shows which: not three times in a row.
    [Test, Retry(3)]
    public void MemcachedAnswersTheSame()
    {
        Random random = TestSeed.Random(704);
        using MemcachedPeer memcached = MemcachedPeer.Memcached();
        using MemcachedPeer lender = MemcachedPeer.Lend();
        using TextPeer theirs = memcached.Connect();
        using TextPeer ours = lender.Connect();
        // Some at a time, so that the test does not wait for 8000 changes of processes.
        for (int step = 0; step < 4000; step += Together)
        {
            string[] commands = [.. Enumerable.Range(0, Together).Select(_ => CommandMaker.Any(random))];
            List<List<string>> answers = ours.AskAll(commands);
            List<List<string>> expected = theirs.AskAll(commands);
            for (int i = 0; i < Together; i++)
            {
                Assert.That(
                    Masked(answers[i]), Is.EqualTo(Masked(expected[i])),
                    $"step {step + i}: {string.Concat(commands[..(i + 1)])}{string.Join('\n', expected[i])}");
            }
        }
    }

    // CAS numbers and ages are each server's own; a second may end between the two answers.
    private static List<string> Masked(List<string> lines) =>
        [.. lines.Select(line =>
        {
            string masked = Regex.Replace(line, @"(?<=^(?:HD|VA|EX|NS|NF)\b.*) c\d+", " c#");
            masked = Regex.Replace(masked, @"(?<=^(?:HD|VA)\b.*) l\d+", " l#");
            masked = Regex.Replace(masked, @"(?<=^(?:HD|VA)\b.*) t(\d+)", match =>
                $" t{(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) + 5) / 10}");
            masked = Regex.Replace(masked, @"^(VALUE \S+ \d+ \d+) \d+$", "$1 #");
            return Regex.Replace(masked, @"^ME (\S+) .*$", "ME $1");
        })];
}

/// <summary>Commands from the grammar of the protocol, some of them wrong.</summary>
internal static class CommandMaker
{
    private static readonly string[] s_keys = ["a", "b", "c", "count", "k" + new string('y', 249)];
    private static readonly string[] s_ttls = ["0", "0", "0", "1000", "-1", "5000", "2592000"];

    private static readonly string[] s_getFlags =
        ["v", "s", "t", "c", "f", "h", "k", "q", "u", "Oabc", "T1000", "N1000", "R500", "v", "s", "b", "x", "Tq"];

    private static readonly string[] s_setFlags =
        ["c", "k", "q", "Ox1", "F7", "T1000", "C0", "C99999999", "I", "ME", "MA", "MP", "MR", "MS", "MX", "b", "Fq"];

    private static readonly string[] s_sumFlags =
        ["v", "t", "c", "k", "q", "O9", "N0", "J13", "D2", "D20", "T1000", "MI", "M+", "Dq", "C99999999"];

    private static readonly string[] s_deleteFlags = ["q", "k", "Oz", "C0", "C99999999", "I", "T1000", "b", "!"];

    // Nothing is made shorter: whether memcached then leaves spaces depends on whether one of its own threads holds the
    // item at that moment. The conversations of ConformanceTests have a sum that becomes shorter.
    internal static string Any(Random random)
    {
        string key = s_keys[random.Next(s_keys.Length)];
        switch (random.Next(16))
        {
            case 0 or 1: return $"{Pick(random, "get", "gets")} {Keys(random)}\r\n";
            case 2: return $"{Pick(random, "gat", "gats")} {Pick(random, s_ttls)} {Keys(random)}\r\n";
            case 3 or 4:
                string value = Value(random);
                string verb = Pick(random, "set", "set", "add", "replace", "append", "prepend");
                return $"{verb} {key} {random.Next(100)} {Pick(random, s_ttls)} {value.Length}{NoReply(random)}\r\n{value}\r\n";
            case 5:
                value = Value(random);
                return $"cas {key} 1 0 {value.Length} {random.Next(2) * 99999999}{NoReply(random)}\r\n{value}\r\n";
            // Nothing is made shorter: whether memcached then leaves spaces depends on whether one of its own threads
            // holds the item at that moment.
            case 6:
                bool adds = random.Next(3) > 0;
                return adds ? $"incr count {random.Next(100)}{NoReply(random)}\r\n" : $"decr count 0{NoReply(random)}\r\n";
            case 7: return $"delete {key}{NoReply(random)}\r\n";
            case 8: return $"touch {key} {Pick(random, s_ttls)}{NoReply(random)}\r\n";
            case 9 or 10: return $"mg {key}{Flags(random, s_getFlags)}\r\n";
            case 11 or 12:
                value = Value(random);
                return $"ms {key} {value.Length}{Flags(random, s_setFlags)}\r\n{value}\r\n";
            case 13: return $"md {key}{Flags(random, s_deleteFlags)}\r\n";
            case 14: return $"ma count{Flags(random, s_sumFlags)}\r\n";
            default:
                return Pick(random, "me a\r\n", "nonsense\r\n", "get\r\n", "set a b\r\n", "\r\n", "verbosity 1\r\n",
                    "set count 0 0 2\r\n10\r\n", "incr a x\r\n", "touch a\r\n", "flush_all\r\n", "mg\r\n", "ms a\r\n");
        }
    }

    private static string Keys(Random random) =>
        string.Join(' ', Enumerable.Range(0, 1 + random.Next(4)).Select(_ => s_keys[random.Next(s_keys.Length)]));

    private static string Value(Random random) =>
        random.Next(3) == 0
            ? random.Next(1000).ToString(CultureInfo.InvariantCulture)
            : new string((char)('a' + random.Next(26)), random.Next(random.Next(8) == 0 ? 9000 : 40));

    private static string NoReply(Random random) => random.Next(6) == 0 ? " noreply" : "";

    private static string Flags(Random random, string[] flags) =>
        string.Concat(flags.OrderBy(_ => random.Next()).Take(random.Next(6)).Select(flag => " " + flag));

    private static string Pick(Random random, params string[] choices) => choices[random.Next(choices.Length)];
}
