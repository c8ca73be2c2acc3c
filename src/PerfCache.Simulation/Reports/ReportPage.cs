// SPDX-License-Identifier: MIT
using System.Net;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// The frame of every HTML report: one file that needs no other and no script, reads well on a screen (light
/// and dark, wide and narrow) and prints in ink-saving light colours with no table or plot cut by a page
/// break.
/// </summary>
internal static class ReportPage
{
    private const string Css = """
        :root{color-scheme:light dark;--page:#f6f6f3;--surface:#fff;--ink:#1c1d21;--muted:#63656e;--grid:#e4e4df;
        --accent:#0067a6;--best:#e3f1ea;--warn:#fff3d6}
        @media screen and (prefers-color-scheme:dark){:root{--page:#14151a;--surface:#1c1e25;--ink:#e9eaee;
        --muted:#9fa2ad;--grid:#343741;--accent:#62b5f0;--best:#1d3a30;--warn:#43361a}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--page);color:var(--ink);
        font:15px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
        main{max-width:1080px;margin:0 auto;padding:40px 24px 56px}
        h1{font-size:29px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
        h2{font-size:20px;line-height:1.3;margin:0;overflow-wrap:anywhere}
        h3{font-size:13px;margin:30px 0 8px;color:var(--muted);text-transform:uppercase;letter-spacing:.06em}
        p{margin:8px 0}p,li,h3,figcaption,caption{overflow-wrap:anywhere}.lead{font-size:17px}.muted{color:var(--muted)}
        section{background:var(--surface);border:1px solid var(--grid);border-radius:10px;
        padding:24px 28px 26px;margin-top:26px}
        pre{background:var(--surface);border:1px solid var(--grid);border-radius:8px;padding:11px 15px;margin:18px 0 0;
        white-space:pre-wrap;overflow-wrap:anywhere}
        code,pre{font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
        dl{display:flex;flex-wrap:wrap;gap:12px 38px;margin:16px 0 4px}dl div{min-width:6em}
        dt{font-size:12.5px;color:var(--muted)}dd{margin:0;font-size:18px;font-weight:600;
        font-variant-numeric:tabular-nums}
        figure{margin:18px -6px 16px}.scroll{overflow-x:auto}
        table{border-collapse:collapse;width:100%;font-size:13.2px;font-variant-numeric:tabular-nums}
        th,td{text-align:right;padding:6px 8px;border-bottom:1px solid var(--grid);white-space:nowrap}
        th:first-child,td:first-child{text-align:left;padding-left:4px}
        thead th{color:var(--muted);font-weight:600;border-bottom:1.5px solid var(--muted);vertical-align:bottom}
        thead small{display:block;font-weight:400}
        tbody th{font-weight:600}tbody tr.first td,tbody tr.first th{border-top:1px solid var(--muted)}
        tbody tr.again th{font-weight:400;color:var(--muted)}
        tbody tr:last-child td,tbody tr:last-child th{border-bottom:1px solid var(--muted)}
        td.best{background:var(--best);font-weight:700}
        caption{caption-side:top;text-align:left;color:var(--muted);padding:0 4px 6px;white-space:normal}
        figcaption{color:var(--muted);font-size:13.2px;padding:0 6px}
        td.text,th.text{text-align:left;white-space:normal;min-width:5.5em}
        td.text:last-child{min-width:15em}
        section .scroll{margin-top:20px}.command+p{margin-top:18px}
        .command{display:block;margin:4px 6px 0;font:12.5px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",
        monospace;color:var(--muted);overflow-wrap:anywhere;user-select:all}
        a{color:var(--accent)}:focus-visible{outline:2.5px solid var(--accent);outline-offset:2px;border-radius:3px}
        nav ol{columns:2;column-gap:32px;padding-left:1.3em;margin:8px 0}nav li{padding:5px 0;break-inside:avoid}
        nav a{display:inline-block;padding:2px 0}
        ul.summary{padding-left:1.2em;margin:10px 0}ul.summary li{margin:9px 0}
        .skip{position:absolute;left:-999px}.skip:focus{left:12px;top:8px}
        .notice{background:var(--warn);border-radius:8px;padding:9px 14px}
        footer{margin-top:28px;color:var(--muted);font-size:13px}footer dl{display:block}
        footer dt{font-weight:600;color:var(--ink);margin-top:7px}
        footer dd{font-size:13px;font-weight:400}
        @media (max-width:640px){main{padding:24px 12px}section{padding:18px 14px}nav ol{columns:1}
        h1{font-size:25px;overflow-wrap:anywhere}}
        @media print{@page{margin:14mm}body{font-size:10.5pt;background:#fff}main{max-width:none;padding:0}
        section{border:0;border-top:1px solid var(--grid);border-radius:0;padding:16px 0 0}
        table{font-size:8pt}th,td{padding:3px 5px;white-space:normal}nav,.skip{display:none}
        th:first-child{white-space:nowrap}figure{margin:14px 0}.scroll{overflow:visible}
        h1,h2,h3,dl,.lead{break-after:avoid}figure,tr,pre{break-inside:avoid}thead{display:table-header-group}
        *{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
        """;

    /// <summary>Writes a whole page around what <paramref name="writeBody"/> writes.</summary>
    public static void Write(TextWriter writer, string title, Action<TextWriter> writeBody)
    {
        writer.Write("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        writer.Write("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
        writer.Write($"<title>{WebUtility.HtmlEncode(title)}</title>\n<style>\n{Css}\n{SvgPlot.Css}\n</style>\n");
        writer.Write("</head>\n<body>\n<main>\n");
        writeBody(writer);
        writer.Write("</main>\n</body>\n</html>\n");
    }
}
