"use strict";
(() => {
  const root = document.documentElement;
  const font = 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif';
  // Colours are the page's own variables, so that charts follow the theme and the printer without being drawn again.
  const config = {
    // The label of the last tick stands half beyond the axis.
    padding: { left: 5, right: 18, top: 5, bottom: 5 },
    background: null, font, aria: false, legend: { disable: true }, view: { stroke: null }, line: { strokeCap: "round" },
    axis: {
      labelColor: "var(--muted)", titleColor: "var(--muted)", domainColor: "var(--line)", tickColor: "var(--line)", gridColor: "var(--grid)",
      labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal", titlePadding: 8, labelPadding: 5,
    },
  };

  // A picture by itself has no page to take its colours from: they are written into it.
  function save(chart) {
    const probe = document.body.appendChild(document.createElement("span"));
    const colors = new Map();
    const color = (name) => {
      if (!colors.has(name)) {
        probe.style.color = `var(${name})`;
        colors.set(name, getComputedStyle(probe).color);
      }
      return colors.get(name);
    };
    const svg = chart.querySelector("svg").cloneNode(true);
    svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    svg.style.background = color("--ground");
    const text = new XMLSerializer().serializeToString(svg).replace(/var\((--[a-z0-9-]+)\)/g, (_, name) => color(name));
    probe.remove();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    link.download = `${chart.id}.svg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async function draw(holder) {
    const chart = document.getElementById(holder.dataset.chart);
    // The interpreter: expressions run without eval, which the page's policy forbids.
    await vegaEmbed(chart, JSON.parse(holder.textContent), { mode: "vega-lite", renderer: "svg", actions: false, ast: true, config });
    const button = document.createElement("button");
    button.type = "button";
    button.className = "save";
    button.textContent = "Save SVG";
    button.setAttribute("aria-label", `Save as SVG: ${document.getElementById(`${chart.id}-title`).textContent}`);
    button.addEventListener("click", () => save(chart));
    chart.parentElement.append(button);
  }

  const long = document.querySelectorAll("details.long");
  for (const table of long) {
    table.open = false;
  }
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open])")];
    opened.forEach((table) => { table.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((table) => { table.open = false; }));

  const themes = ["", "light", "dark"];
  const names = ["as the system", "light", "dark"];
  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const next = (themes.indexOf(root.dataset.theme ?? "") + 1) % themes.length;
    if (themes[next]) {
      root.dataset.theme = themes[next];
    } else {
      delete root.dataset.theme;
    }
    theme.textContent = `Theme: ${names[next]}`;
  });

  Promise.allSettled([...document.querySelectorAll(".chart-specification")].map(draw)).then((results) => {
    for (const failed of results.filter((r) => r.status === "rejected")) {
      console.error(failed.reason);
    }
    root.dataset.charts = "drawn";
  });
})();
