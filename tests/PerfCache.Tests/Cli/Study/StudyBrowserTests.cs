// SPDX-License-Identifier: MIT
using System.Text.Json;

namespace PerfCache.Tests.Cli.Study;

/// <summary>
/// The study's report in a real browser, at the widths of a phone, a tablet and a desk, light, dark and printed: nothing
/// is wider than the page, letters are large enough and stand out from their ground (WCAG 2 AA), all that can be used can
/// be reached by keys, and the console is silent. Without a Chromium the fixture is skipped; <see cref="StudyReportTests"/>
/// looks at the structure anyhow.
/// </summary>
[TestFixture]
internal sealed class StudyBrowserTests : FolderFixture
{
    private const string Overflow = """
        JSON.stringify([...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll') && !e.closest('.skip')
          && e.getBoundingClientRect().right > innerWidth + 1).slice(0, 5).map(e => e.outerHTML.slice(0, 120)))
        """;

    /// <summary>Every visible text's contrast with the first ground behind it that is not transparent.</summary>
    private const string Contrast = """
        (() => {
          const part = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
          const numbers = c => (c.match(/[\d.]+/g) || []).map(Number);
          const light = c => 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]);
          const ground = e => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
            if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
          const bad = [];
          for (const e of document.querySelectorAll('body *')) {
            const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
            if (!own || e.tagName === 'title' || !e.getClientRects().length) continue;
            const style = getComputedStyle(e);
            const a = light(numbers(e instanceof SVGElement ? style.fill : style.color)), b = light(ground(e));
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) bad.push(ratio.toFixed(2) + ' ' + e.outerHTML.slice(0, 120));
          }
          return JSON.stringify(bad.slice(0, 5));
        })()
        """;

    /// <summary>Lines and bars against the page: 3 to 1 is asked of what is no text.</summary>
    private const string Graphics = """
        (() => {
          const part = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
          const light = c => { c = c.match(/[\d.]+/g).map(Number); return 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]); };
          const b = light(getComputedStyle(document.querySelector('section')).backgroundColor);
          const bad = new Set();
          for (const e of document.querySelectorAll('svg .line, svg .bar')) {
            const s = getComputedStyle(e), c = e.classList.contains('bar') ? s.fill : s.stroke, a = light(c);
            if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 3) bad.add(c);
          }
          return JSON.stringify([...bad]);
        })()
        """;

    private const string SmallLetters = """
        JSON.stringify([...document.querySelectorAll('svg text')].filter(e => e.getClientRects().length
          && e.getBoundingClientRect().height > 0).map(e => parseFloat(getComputedStyle(e).fontSize)
          * e.ownerSVGElement.getBoundingClientRect().width / e.ownerSVGElement.viewBox.baseVal.width)
          .filter(size => size < 9.4).slice(0, 5))
        """;

    /// <summary>Letters of a plot that lie outside of it are cut off.</summary>
    private const string CutLetters = """
        JSON.stringify([...document.querySelectorAll('svg text')].filter(e => { if (!e.getClientRects().length) return false;
          const t = e.getBoundingClientRect(), s = e.ownerSVGElement.getBoundingClientRect();
          return t.width > 0 && (t.left < s.left - 1 || t.right > s.right + 1 || t.top < s.top - 1 || t.bottom > s.bottom + 1); })
          .slice(0, 8).map(e => e.ownerSVGElement.getAttribute('aria-label') + ': ' + e.textContent))
        """;

    [OneTimeSetUp]
    public void FindTheBrowser()
    {
        TestScale.LeaveToRelease();
        if (ChromiumPage.Browser is null) Assert.Ignore("no Chromium on the path: the report is not looked at in a browser");
    }

    [Test]
    public async Task TheReportFitsReadsAndStandsOutAtEveryWidthInBothColoursAndOnPaper()
    {
        await using ChromiumPage page = await Opened();
        await page.Evaluate("(document.querySelectorAll('details').forEach(list => list.open = true), 0)");
        using IDisposable all = Assert.EnterMultipleScope();
        foreach ((int width, bool isDark, bool isPrint) in new[]
            { (360, false, false), (360, true, false), (768, false, false), (1280, false, false), (1280, true, false),
                (700, true, true) })
        {
            await page.Show(width, isDark, isPrint);
            string at = $"{width} pixels{(isDark ? ", dark" : "")}{(isPrint ? ", printed" : "")}";
            JsonElement scrolled = await page.Evaluate("document.scrollingElement.scrollWidth - innerWidth");
            Assert.That(scrolled.GetInt32(), Is.LessThanOrEqualTo(0), at);
            foreach ((string check, string what) in new[]
            {
                (Overflow, "wider than the page"), (Contrast, "low contrast"), (Graphics, "lines of low contrast"),
                (SmallLetters, "small letters"), (CutLetters, "letters outside of their plot"),
            })
            {
                if (isPrint && check == Overflow) continue;
                Assert.That((await page.Evaluate(check)).GetString(), Is.EqualTo("[]"), $"{what}, {at}");
            }
        }

        Assert.That(page.Complaints, Is.Empty);
    }

    [Test]
    public async Task LinksAndTablesCanBeReachedByKeysAndSeen()
    {
        await using ChromiumPage page = await Opened();
        await page.Show(768);
        JsonElement wanted = await page.Evaluate("document.querySelectorAll('a, [tabindex=\"0\"]').length");
        HashSet<string> reached = [];
        for (int i = 0; i < wanted.GetInt32(); i++)
        {
            await page.PressTab();
            JsonElement focus = await page.Evaluate(
                "(e => (e.id || e.getAttribute('href')) + ' ' + getComputedStyle(e).outlineStyle)(document.activeElement)");
            Assert.That(focus.GetString(), Does.EndWith(" solid"), "the focus can be seen");
            reached.Add(focus.GetString()!);
        }

        Assert.That(reached, Has.Count.EqualTo(wanted.GetInt32()));
        Assert.That(page.Complaints, Is.Empty);
    }

    /// <summary>Every plot has a name for those who cannot see it, as the browser tells it to a reader's program.</summary>
    [Test]
    public async Task EveryPlotThatIsShownHasANameAndOfTwoDrawingsOneIsShown()
    {
        await using ChromiumPage page = await Opened();
        foreach (int width in (int[])[360, 1280])
        {
            await page.Show(width);
            JsonElement shown = await page.Evaluate(
                "[...document.querySelectorAll('figure')].every(f => [...f.querySelectorAll('svg')].filter(s => s.getClientRects().length)"
                + ".map(s => s.getAttribute('aria-label')).filter(Boolean).length === 1)");
            Assert.That(shown.GetBoolean(), Is.True, $"{width} pixels");
            JsonElement lists = await page.Evaluate(
                "[...document.querySelectorAll('details.values')].filter(list => list.getClientRects().length > 0).length");
            Assert.That(lists.GetInt32(), width <= 640 ? Is.GreaterThan(15) : Is.Zero, "lists of values are for fingers");
        }
    }

    /// <summary>For people: pictures of the page at every width, to be looked at. The variable PERFCACHE_PICTURES names the
    /// folder, and PERFCACHE_REPORT a report to picture instead of a small one.</summary>
    [Test]
    [Explicit("makes pictures to look at: PERFCACHE_PICTURES=FOLDER ... --filter Name~PicturesToLookAt")]
    public async Task PicturesToLookAt()
    {
        string folder = Environment.GetEnvironmentVariable("PERFCACHE_PICTURES") ?? Folder;
        Directory.CreateDirectory(folder);
        await using ChromiumPage page = await Opened(Environment.GetEnvironmentVariable("PERFCACHE_REPORT"));
        foreach ((int width, bool isDark) in new[] { (360, false), (360, true), (768, false), (1280, false), (1280, true) })
        {
            await page.Show(width, isDark);
            await page.Screenshot(Path.Combine(folder, $"{width}{(isDark ? "-dark" : "")}.png"));
        }

        await page.Print(Path.Combine(folder, "print.pdf"));
        Assert.That(Directory.GetFiles(folder), Has.Length.GreaterThanOrEqualTo(6));
    }

    private async Task<ChromiumPage> Opened(string? report = null)
    {
        if (report is null)
        {
            report = PathOf("study.html");
            await File.WriteAllTextAsync(report, StudyReportFile.Html);
        }

        ChromiumPage page = await ChromiumPage.Start();
        await page.Open(Path.GetFullPath(report));
        return page;
    }
}
