// SPDX-License-Identifier: MIT
using System.Text.RegularExpressions;

namespace PerfCache.Tests.Remote;

/// <summary>
/// Goal: a client cannot tell a lender from memcached. Method: the same conversations with the system's memcached and
/// with a lender, by TCP and by a Unix socket; one line of the script is one line of the conversation.
/// </summary>
[TestFixture("memcached")]
[TestFixture("lender by TCP")]
[TestFixture("lender by Unix socket")]
internal sealed class ConformanceTests(string kind)
{
    private MemcachedPeer _server = null!;

    [OneTimeSetUp]
    public void Start() => _server = kind == "memcached"
        ? MemcachedPeer.Memcached()
        : MemcachedPeer.Lend(unix: kind.EndsWith("socket", StringComparison.Ordinal));

    [OneTimeTearDown]
    public void Stop() => _server?.Dispose();

    // What follows ">" is sent with an end of line, what follows "<" is a pattern of the answer's next line.
    private static readonly (string Name, string Script)[] s_scripts =
    [
        ("a value is stored and read", ">set a 5 0 3|>abc|<STORED|>get a|<VALUE a 5 3|<abc|<END|>gets a|<VALUE a 5 3 \\d+|<abc|<END"),
        ("an empty value is a value", ">set a 0 0 0|>|<STORED|>get a|<VALUE a 0 0|<|<END"),
        ("a miss is only an end", ">get none|<END|>gets none none2|<END"),
        ("many keys are answered in order", ">set a 0 0 1|>1|<STORED|>set b 0 0 1|>2|<STORED|>get b nobody a b|<VALUE b 0 1|<2|<VALUE a 0 1|<1|<VALUE b 0 1|<2|<END"),
        ("add and replace look first", ">delete a|<.*|>replace a 0 0 1|>1|<NOT_STORED|>add a 0 0 1|>1|<STORED|>add a 0 0 1|>2|<NOT_STORED|>replace a 0 0 1|>3|<STORED|>get a|<VALUE a 0 1|<3|<END"),
        ("append and prepend keep flags", ">append none 0 0 1|>x|<NOT_STORED|>set a 9 0 1|>b|<STORED|>append a 1 0 1|>c|<STORED|>prepend a 1 0 1|>a|<STORED|>get a|<VALUE a 9 3|<abc|<END"),
        ("cas compares", ">cas none 0 0 1 7|>x|<NOT_FOUND|>set a 0 0 1|>1|<STORED|>cas a 0 0 1 999999|>2|<EXISTS|>cas a 0 0 1 0|>2|<EXISTS|>get a|<VALUE a 0 1|<1|<END"),
        ("delete says whether it was there", ">set a 0 0 1|>1|<STORED|>delete a|<DELETED|>delete a|<NOT_FOUND|>delete a 0|<NOT_FOUND|>delete a 5|<CLIENT_ERROR bad command line format.  Usage: delete <key> \\[noreply\\]"),
        ("sums wrap and stop at zero", ">set n 0 0 20|>18446744073709551615|<STORED|>incr n 1|<0|>incr n 5|<5|>decr n 10|<0|>incr none 1|<NOT_FOUND|>decr none 1|<NOT_FOUND"),
        ("a sum keeps its length with spaces", ">set n 0 0 2|>10|<STORED|>decr n 1|<9|>get n|<VALUE n 0 2|<9 |<END|>incr n 1|<10"),
        ("only numbers can be added to", ">set n 0 0 3|>abc|<STORED|>incr n 1|<CLIENT_ERROR cannot increment or decrement non-numeric value|>incr n x|<CLIENT_ERROR invalid numeric delta argument|>incr n -1|<CLIENT_ERROR invalid numeric delta argument"),
        ("touch and get-and-touch", ">touch none 10|<NOT_FOUND|>set a 0 0 1|>1|<STORED|>touch a 100|<TOUCHED|>gat 200 a|<VALUE a 0 1|<1|<END|>mg a t|<HD t(200|199)|>gats 0 a|<VALUE a 0 1 \\d+|<1|<END|>mg a t|<HD t-1|>gat x a|<CLIENT_ERROR invalid exptime argument|>touch a x|<CLIENT_ERROR invalid exptime argument"),
        ("what expires at once is a miss", ">set a 0 -1 1|>1|<STORED|>get a|<END|>set a 0 1000000000 1|>1|<STORED|>get a|<END"),
        ("thirty days and more is a date", ">set a 0 2592000 1|>1|<STORED|>mg a t|<HD t(2592000|2591999)|>set a 0 2592001 1|>1|<STORED|>get a|<END"),
        ("noreply says nothing", ">set a 0 0 1 noreply|>1|>add a 0 0 1 noreply|>1|>append a 0 0 1 noreply|>2|>incr a 1 noreply|>delete nobody noreply|>touch a 0 noreply|>verbosity 0 noreply|>mn|<MN|>get a|<VALUE a 0 2|<13|<END"),
        ("errors of lines", ">|<ERROR|> |<ERROR|>x|<ERROR|>nonsense|<ERROR|>get|<ERROR|>set a|<ERROR|>set a 0 0|<ERROR|>incr a|<ERROR|>touch a|<ERROR|>delete|<ERROR|>gat 1|<END|>mg|<ERROR|>verbosity|<ERROR|>mx a|<ERROR|>shutdown|<ERROR: shutdown not enabled"),
        ("errors of numbers", ">set a x 0 1|<CLIENT_ERROR bad command line format|>set a 0 x 1|<CLIENT_ERROR bad command line format|>set a 0 0 x|<CLIENT_ERROR bad command line format|>set a 0 0 -1|<CLIENT_ERROR bad command line format|>cas a 0 0 1 x|<CLIENT_ERROR bad command line format|>verbosity x|<CLIENT_ERROR bad command line format|>flush_all x|<CLIENT_ERROR invalid exptime argument"),
        ("data of the wrong length", ">delete a|<.*|>set a 0 0 1|>12|<CLIENT_ERROR bad data chunk|<ERROR|>get a|<END|>ms a 1|>12|<CLIENT_ERROR bad data chunk|<ERROR"),
        ("what is too large is skipped", ">set big 0 0 1|>x|<STORED|>set big 0 0 1048577|>{1048577}|<SERVER_ERROR object too large for cache|>get big|<END|>ms big 1048577|>{1048577}|<SERVER_ERROR object too large for cache|>mn|<MN"),
        ("the longest key and one more", ">set {250} 0 0 1|>1|<STORED|>get {250}|<VALUE x+ 0 1|<1|<END|>get {251}|<CLIENT_ERROR bad command line format|>get a {251}|<CLIENT_ERROR bad command line format|>mg {251} v|<CLIENT_ERROR bad command line format|>delete {251}|<CLIENT_ERROR bad command line format|>incr {251} 1|<CLIENT_ERROR bad command line format"),
        ("flush_all takes everything", ">set a 0 0 1|>1|<STORED|>flush_all|<OK|>get a|<END|>set a 0 0 1|>1|<STORED|>flush_all 100|<OK|>get a|<VALUE a 0 1|<1|<END|>flush_all noreply|>get a|<END"),
        ("version and verbosity", ">version|<VERSION 1\\.6\\..*|>verbosity 0|<OK"),
        ("a meta miss, and a quiet one", ">mg none v|<EN|>mg none v q|>mg none s v Oabc k q|>mn|<MN|>mg none Oabc k|<EN Oabc knone|>mg none k O1|<EN knone O1"),
        ("meta flags come in the order of the request", ">ms a 2 T90 F17|>hi|<HD|>mg a s v t f|<VA 2 s2 t(90|89) f17|<hi|>mg a f t k s O77|<HD f17 t(90|89) ka s2 O77|>mg a c|<HD c\\d+|>mg a h l|<HD h1 l\\d"),
        ("a hit is seen once it has happened", ">set a 0 0 1|>1|<STORED|>mg a h u|<HD h0|>mg a h|<HD h0|>mg a h|<HD h1"),
        ("meta set with modes", ">md a|<.*|>ms a 1 MR|>x|<NS|>ms a 1 ME|>b|<HD|>ms a 1 ME|>x|<NS|>ms a 1 MA|>c|<HD|>ms a 1 MP|>a|<HD|>mg a v|<VA 3|<abc|>ms a 1 MS|>z|<HD|>ms none 1 MA|>z|<NS|>ms a 1 MZ|>z|<CLIENT_ERROR invalid mode for ms M token"),
        ("meta set returns what it is asked for", ">ms a 1 c k O5|>x|<HD c\\d+ ka O5|>ms a 1 C999999 c|>x|<EX c0|>ms none 1 C5 k|>x|<NF knone|>ms a 1 q|>y|>mn|<MN|>ms a 1 q ME|>y|<NS"),
        ("meta flags that are wrong", ">mg a v v|<CLIENT_ERROR duplicate flag|>mg a !|<CLIENT_ERROR invalid flag|>mg a Tx|<CLIENT_ERROR bad token in command line format|>ms a 1 v v|>x|<CLIENT_ERROR duplicate flag|>ms a|<CLIENT_ERROR bad command line format|>ms a x|<CLIENT_ERROR bad command line format|>md a !|<CLIENT_ERROR invalid or duplicate flag|>mg a O{33}|<.*"),
        ("keys in base64", ">ms 44OG44K544OI 2 b|>po|<HD|>mg 44OG44K544OI v|<EN|>mg 44OG44K544OI b v k|<VA 2 k44OG44K544OI b|<po|>md 44OG44K544OI b k|<HD k44OG44K544OI b|>mg !!! b v|<CLIENT_ERROR error decoding key"),
        ("meta delete", ">md none|<NF|>md none q|<NF|>ms a 1|>x|<HD|>md a C1234567|<EX|>md a q O1|>mn|<MN|>mg a|<EN|>md a k O2|<NF ka O2"),
        ("a stale item is renewed by one", ">ms a 1 T100|>x|<HD|>md a I T30|<HD|>mg a v t|<VA 1 t(30|29) X W|<x|>mg a v|<VA 1 Z X|<x|>ms a 1 T100|>y|<HD|>mg a v|<VA 1|<y"),
        ("an item that is soon due is renewed by one", ">ms a 1 T30|>x|<HD|>mg a R60|<HD W|>mg a R60|<HD Z|>ms b 1 T90|>x|<HD|>mg b R60|<HD|>ms c 1|>x|<HD|>mg c R60|<HD"),
        ("a miss is made by one", ">md a|<.*|>mg a v N30 t|<VA 0 t(30|29) W|<|>mg a v N30|<VA 0 Z|<|>ms a 2 T90|>hi|<HD|>mg a v N30|<VA 2|<hi"),
        ("meta arithmetic", ">md n|<.*|>ma n|<NF|>ma n N0 J13 v|<VA 2|<13|>ma n v|<VA 2|<14|>ma n MD D4 v|<VA 2|<10|>ma n M- D100 v|<VA 1|<0|>ma n M+ D7 t c k O9|<HD t-1 c\\d+ kn O9|>ma n C99999|<EX|>ma n Mx|<CLIENT_ERROR invalid mode for ma M token|>ma n Dx|<CLIENT_ERROR .*|>ma n T90 t|<HD t(90|89)|>ma n q|>mn|<MN|>ms n 1|>x|<HD|>ma n|<CLIENT_ERROR cannot increment or decrement non-numeric value"),
        ("meta debug", ">ms a 2|>hi|<HD|>me a|<ME a exp=-1 la=\\d cas=\\d+ fetch=no cls=\\d+ size=\\d+|>me none|<EN"),
        ("pipelined commands", ">set a 0 0 1\r\n1\r\nget a\r\nincr a 4\r\nmg a v\r\nmn|<STORED|<VALUE a 0 1|<1|<END|<5|<VA 1|<5|<MN"),
        ("a bare line feed ends a line too", ">set a 0 0 2\n77\r\nget a\nmn|<STORED|<VALUE a 0 2|<77|<END|<MN"),
        ("quit closes", ">get a_|<END|>quit|!"),
        ("a request of a browser closes", ">GET / HTTP/1.1|!"),
    ];

    private static IEnumerable<TestCaseData> Scripts() =>
        s_scripts.Select(each => new TestCaseData(each.Script).SetArgDisplayNames(each.Name));

    [TestCaseSource(nameof(Scripts))]
    public void TheConversationIsTheSame(string script)
    {
        using TextPeer peer = _server.Connect();
        Play(peer, script);
    }

    [TestCaseSource(nameof(Scripts))]
    public void EachByteMayComeAlone(string script)
    {
        if (script.Contains("{1048577}", StringComparison.Ordinal)) return;
        using TextPeer peer = _server.Connect();
        Play(peer, script, byteByByte: true);
    }

    [Test]
    public void ALongGetIsAnsweredInFull()
    {
        using TextPeer peer = _server.Connect();
        string value = new('v', 5000);
        for (int i = 0; i < 20; i++) Assert.That(peer.Ask($"set long{i} 0 0 5000\r\n{value}\r\n"), Is.EqualTo(["STORED"]));
        List<string> lines = peer.Ask("get " + string.Join(' ', Enumerable.Range(0, 600).Select(i => $"long{i % 20}")) + "\r\n");
        Assert.That(lines, Has.Count.EqualTo(1201));
        Assert.That(lines[^1], Is.EqualTo("END"));
        Assert.That(lines.Where((_, i) => i % 2 == 1 && i < 1200), Has.All.EqualTo(value));
    }

    [Test]
    public void AMebibyteComesBack()
    {
        using TextPeer peer = _server.Connect();
        string value = string.Concat(Enumerable.Range(0, 1_000_000 / 8).Select(i => $"{i:D8}"));
        peer.Send($"set large 1 0 {value.Length}\r\n{value}\r\nget large\r\n");
        Assert.That(peer.Line(), Is.EqualTo("STORED"));
        Assert.That(peer.Line(), Is.EqualTo($"VALUE large 1 {value.Length}"));
        Assert.That(peer.Text(value.Length), Is.EqualTo(value));
        Assert.That(peer.Line(), Is.Empty);
        Assert.That(peer.Line(), Is.EqualTo("END"));
    }

    [Test]
    public void ALineWithoutEndIsCutOff()
    {
        using TextPeer peer = _server.Connect();
        peer.Send(new string('x', 3000));
        Assert.That(peer.Line(), Is.Null);
    }

    [Test]
    public void StatsCount()
    {
        using TextPeer peer = _server.Connect();
        peer.Ask("set a 0 0 1\r\n1\r\nget a\r\nget nobody\r\n");
        Dictionary<string, string> stats = peer.Ask("stats\r\n").Where(line => line.StartsWith("STAT ", StringComparison.Ordinal))
            .Select(line => line.Split(' ', 3)).ToDictionary(words => words[1], words => words[2]);
        foreach (string name in new[]
            { "pid", "uptime", "curr_connections", "cmd_get", "cmd_set", "get_hits", "get_misses", "bytes", "curr_items",
                "total_items", "evictions", "limit_maxbytes", "threads", "bytes_read", "bytes_written" })
        {
            Assert.That(stats, Contains.Key(name));
        }

        Assert.That(long.Parse(stats["get_hits"]), Is.Positive);
        Assert.That(peer.Ask("stats reset\r\n"), Is.EqualTo(["RESET"]));
        Assert.That(peer.Ask("stats nonsense\r\n"), Is.EqualTo(new[] { "ERROR" }).Or.Empty);
    }

    private static void Play(TextPeer peer, string script, bool byteByByte = false)
    {
        foreach (string step in Regex.Split(script, @"\|(?=[><!])"))
        {
            string text = Regex.Replace(step[1..], @"\{(\d+)\}", match => new string('x', int.Parse(match.Groups[1].Value)));
            switch (step[0])
            {
                case '>' when byteByByte:
                    foreach (char each in text + "\r\n") peer.Send(each.ToString());
                    break;
                case '>':
                    peer.Send(text + "\r\n");
                    break;
                case '<':
                    Assert.That(peer.Line(), Does.Match($"^{text}$"), $"in {script}");
                    break;
                default:
                    Assert.That(peer.Line(), Is.Null, "the server closes the connection");
                    break;
            }
        }
    }
}
