// Opens reports in a headless Chromium and checks what only a browser can show: every chart drew marks, nothing was logged as an error, nothing was fetched, no
// script of the data ran, tables can be read without scripts, and no text of a chart is cut off. With a folder, pictures in both themes are left there.
//   node tests/report-browser.mjs report.html [--pictures FOLDER]
// CHROMIUM names the browser; else chromium, chromium-browser or google-chrome on the path. Exit code 77: there is none.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const file = resolve(process.argv[2]);
const pictures = process.argv[3] === "--pictures" ? process.argv[4] : null;
const browser = [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"].find((b) => b && spawnSync(b, ["--version"]).status === 0);
if (!browser) {
  console.log("skipped: no Chromium is here; set CHROMIUM or install one");
  process.exit(77);
}

const profile = mkdtempSync(join(tmpdir(), "report-browser-"));
const child = spawn(browser, [
  "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
  "--hide-scrollbars", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank",
], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });

let nextId = 0;
const waiting = new Map();
const events = [];
let buffer = "";
child.stdio[4].setEncoding("utf8");
child.stdio[4].on("data", (chunk) => {
  buffer += chunk;
  for (let end = buffer.indexOf("\0"); end >= 0; end = buffer.indexOf("\0")) {
    const message = JSON.parse(buffer.slice(0, end));
    buffer = buffer.slice(end + 1);
    if (message.id) {
      waiting.get(message.id)(message);
      waiting.delete(message.id);
    } else {
      events.push(message);
    }
  }
});
function send(method, params = {}, sessionId = undefined) {
  const id = ++nextId;
  child.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
  return new Promise((done, fail) => waiting.set(id, (m) => (m.error ? fail(new Error(`${method}: ${m.error.message}`)) : done(m.result))));
}
const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

let passed = 0;
let failed = 0;
function check(name, holds, detail = "") {
  if (holds) {
    passed++;
  } else {
    failed++;
    console.log(`FAILED: ${name}${detail ? `: ${detail}` : ""}`);
  }
}

async function open(theme, scripts) {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const page = (method, params) => send(method, params, sessionId);
  const evaluate = async (expression) => {
    const answer = await page("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.exception?.description ?? answer.exceptionDetails.text);
    return answer.result.value;
  };
  for (const domain of ["Page", "Runtime", "Network", "Log"]) await page(`${domain}.enable`);
  await page("Emulation.setDeviceMetricsOverride", { width: 1240, height: 900, deviceScaleFactor: 1, mobile: false });
  await page("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: theme }] });
  await page("Emulation.setScriptExecutionDisabled", { value: !scripts });
  const first = events.length;
  await page("Page.navigate", { url: pathToFileURL(file).href });
  for (let i = 0; i < 300 && !events.slice(first).some((e) => e.sessionId === sessionId && e.method === "Page.loadEventFired"); i++) await sleep(100);
  if (scripts) {
    for (let i = 0; i < 300 && (await evaluate("document.documentElement.dataset.charts ?? ''")) !== "drawn"; i++) await sleep(100);
  }
  return { page, evaluate, close: () => send("Target.closeTarget", { targetId }), seen: () => events.slice(first).filter((e) => e.sessionId === sessionId) };
}

// Slices, because a whole page is too long to look at.
async function picture(page, name) {
  if (!pictures) return;
  const { cssContentSize: size } = await page("Page.getLayoutMetrics");
  mkdirSync(pictures, { recursive: true });
  for (let slice = 0; slice * 1500 < size.height; slice++) {
    const clip = { x: 0, y: slice * 1500, width: size.width, height: Math.min(1500, size.height - slice * 1500), scale: 1 };
    const { data } = await page("Page.captureScreenshot", { captureBeyondViewport: true, clip });
    writeFileSync(join(pictures, `${name}-${slice}.png`), Buffer.from(data, "base64"));
  }
}

try {
  for (const theme of ["light", "dark"]) {
    const { page, evaluate, close, seen } = await open(theme, true);
    check(`${theme}: charts are drawn`, (await evaluate("document.documentElement.dataset.charts")) === "drawn");
    const charts = await evaluate(`[...document.querySelectorAll(".chart")].map((chart) => {
      const box = chart.getBoundingClientRect();
      const texts = [...chart.querySelectorAll("svg text")].filter((t) => t.textContent.trim());
      const cut = texts.filter((t) => { const b = t.getBoundingClientRect(); return b.left < box.left - 2 || b.right > box.right + 2 || b.top < box.top - 2 || b.bottom > box.bottom + 2; });
      const labels = [...chart.querySelectorAll("svg .role-axis-label text")].filter((t) => t.textContent.trim() && getComputedStyle(t).opacity !== "0" && !/rotate\\(-?[1-9]/.test(t.getAttribute("transform") ?? "")).map((t) => [t.textContent, t.getBoundingClientRect()]);
      const overlaps = [];
      for (let i = 0; i < labels.length; i++) for (let j = 0; j < i; j++) {
        const [a, b] = [labels[i][1], labels[j][1]];
        if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3) overlaps.push(labels[i][0] + " / " + labels[j][0]);
      }
      return {
        id: chart.id,
        marks: chart.querySelectorAll("svg .mark-symbol path, svg .role-mark.mark-rect path").length,
        seen: [...chart.querySelectorAll("svg .mark-symbol path, svg .role-mark.mark-rect path")].filter((m) => { const b = m.getBoundingClientRect(); return b.width > 0 && b.height > 0; }).length,
        cut: cut.map((t) => t.textContent), overlaps,
      };
    })`);
    const expected = await evaluate('document.querySelectorAll(".chart-specification").length');
    check(`${theme}: a chart for each specification`, charts.length === expected, `${charts.length} of ${expected}`);
    for (const chart of charts) {
      check(`${theme}: ${chart.id} drew marks that can be seen`, chart.marks > 0 && chart.seen === chart.marks, `${chart.seen} of ${chart.marks}`);
      check(`${theme}: no text of ${chart.id} is cut off`, chart.cut.length === 0, chart.cut.join(" | "));
      check(`${theme}: no labels of ${chart.id} overlap`, chart.overlaps.length === 0, chart.overlaps.join(" | "));
    }
    const figures = await evaluate('[...document.querySelectorAll("section.figure")].map((f) => ({ id: f.id, filled: f.querySelectorAll(".chart").length > 0 && f.querySelector("table") !== null, said: f.querySelector(".missing") !== null }))');
    check(`${theme}: six figures`, figures.length === 6, `${figures.length}`);
    for (const figure of figures) check(`${theme}: ${figure.id} has charts and a table, or says why not`, figure.filled || figure.said);
    check(`${theme}: no script of the data ran`, (await evaluate("typeof window.injected")) === "undefined");
    check(`${theme}: the page is not wider than the window`, await evaluate("document.documentElement.scrollWidth <= innerWidth"), String(await evaluate("document.documentElement.scrollWidth")));
    const ground = await evaluate("getComputedStyle(document.body).backgroundColor");
    check(`${theme}: the ground is ${theme}`, (ground === "rgb(255, 255, 255)") === (theme === "light"), ground);
    const errors = seen().filter((e) => e.method === "Runtime.exceptionThrown" || (e.method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(e.params.type)) || (e.method === "Log.entryAdded" && e.params.entry.level === "error"));
    check(`${theme}: nothing is logged as an error`, errors.length === 0, JSON.stringify(errors.map((e) => e.params.exceptionDetails?.exception?.description ?? e.params.args?.map((a) => a.value ?? a.description).join(" ") ?? e.params.entry?.text)));
    const requests = seen().filter((e) => e.method === "Network.requestWillBeSent").map((e) => e.params.request.url).filter((u) => u !== pathToFileURL(file).href && !/^(data|blob|about):/.test(u));
    check(`${theme}: nothing is fetched`, requests.length === 0, requests.join(" "));
    await picture(page, theme);
    if (theme === "light") {
      await evaluate("document.getElementById('theme').click(); document.getElementById('theme').click()");
      check("the button changes the theme", (await evaluate("getComputedStyle(document.body).backgroundColor")) !== "rgb(255, 255, 255)");
      await page("Emulation.setEmulatedMedia", { media: "print" });
      check("print is on white whatever the theme", (await evaluate("getComputedStyle(document.body).backgroundColor")) === "rgb(255, 255, 255)");
      const { data } = await page("Page.printToPDF", { printBackground: false });
      check("it prints", Buffer.from(data, "base64").subarray(0, 5).toString() === "%PDF-");
      if (pictures) writeFileSync(join(pictures, "print.pdf"), Buffer.from(data, "base64"));
    }
    await close();
  }

  const { page, evaluate, close } = await open("light", false);
  const tables = await evaluate('[...document.querySelectorAll("table")].map((t) => ({ caption: t.caption?.textContent ?? "", rows: t.tBodies[0].rows.length, height: t.getBoundingClientRect().height }))');
  check("without scripts: there are tables", tables.length >= 1);
  for (const table of tables) check(`without scripts: a table can be read`, table.rows > 0 && table.height > 0 && table.caption.length > 0, table.caption);
  const levels = await evaluate('[...document.querySelectorAll("h1, h2, h3, h4")].map((h) => Number(h.tagName[1]))');
  check("headings are in order", levels[0] === 1 && levels.filter((l) => l === 1).length === 1 && levels.every((l, i) => i === 0 || l <= levels[i - 1] + 1), levels.join(" "));
  check("the language is named", (await evaluate("document.documentElement.lang")) === "en");
  await picture(page, "without-scripts");
  await close();
} catch (error) {
  check("the browser answers", false, error.stack);
} finally {
  await Promise.race([send("Browser.close").catch(() => {}), sleep(3000)]);
  child.kill("SIGKILL");
  try {
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
  } catch {
    // The browser's helpers may still write there; it is a temporary folder.
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
