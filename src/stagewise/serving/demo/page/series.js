// Series: the last rows as CSV, and the steps that follow.
import { drawn, fileButton, make, number, takeFiles } from "./view.js";

const MOST_CHARTS = 4, SHOWN_ROWS = 200, WIDTH = 480, HEIGHT = 130, EDGE = 6;

export function seriesInput(about, changed) {
  const area = make("textarea", { id: "series", class: "code", rows: 12, spellcheck: "false", wrap: "off", "aria-describedby": "series-note" });
  let timer;
  const told = () => {
    clearTimeout(timer);
    timer = setTimeout(() => changed(area.value.trim() ? { request: { type: "text/csv", body: area.value } } : undefined), 200);
  };
  area.addEventListener("input", told);
  const fill = (text) => {
    area.value = text;
    told();
  };
  const take = async (file) => fill(await file.text());
  const names = about.feature.variables.join(", ");
  const element = make("div", {}, make("label", { for: "series" }, `CSV with the columns ${names}`), area,
    make("p", { class: "note", id: "series-note" }, `${about.request.description ?? ""} A column ${about.feature.time_column} holds the times.`),
    make("div", { class: "row" }, fileButton("Choose a file", ".csv,text/csv", take)));
  takeFiles(element, take);
  return { element, take: (example) => fill(example.text), label: (example) => example.name, rows: () => parse(area.value) };
}

/** Columns of plain CSV by their names, for the picture alone: the service reads the text itself. */
function parse(text) {
  const lines = text.trim().split(/\r?\n/), mark = [",", ";", "\t", "|"].find((sign) => lines[0].includes(sign)) ?? ",";
  const names = lines[0].split(mark).map((name) => name.trim().replace(/^"|"$/g, ""));
  const rows = lines.slice(1).slice(-SHOWN_ROWS).map((line) => line.split(mark));
  return Object.fromEntries(names.map((name, place) => [name, rows.map((row) => Number.parseFloat(row[place]))]));
}

/** Charts and a table of the next steps. */
export function forecast(answer, rows = {}) {
  const names = Object.keys(answer.forecast);
  const unit = (name) => (answer.units[name] ? `${name} (${answer.units[name]})` : name);
  const charts = names.slice(0, MOST_CHARTS).map((name) => chart(unit(name), (rows[name] ?? []).filter(Number.isFinite), answer.forecast[name]));
  const head = make("tr", {}, make("th", { scope: "col" }, "Step"), ...names.map((name) => make("th", { scope: "col" }, unit(name))));
  const body = answer.steps.map((step, at) => make("tr", {}, make("th", { scope: "row" }, step),
    ...names.map((name) => make("td", {}, number(answer.forecast[name][at])))));
  const table = make("table", {}, make("caption", {}, "Next steps, after the last row given"), make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", {}, ...charts, make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Next steps" }, table));
}

function chart(name, before, ahead) {
  const all = [...before, ...ahead], low = Math.min(...all), high = Math.max(...all);
  const x = (at) => (all.length > 1 ? (at * WIDTH) / (all.length - 1) : 0);
  const y = (value) => HEIGHT - EDGE - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * EDGE);
  const points = (values, from) => values.map((value, at) => `${x(from + at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const join = before.length ? [before.at(-1)] : []; // the line goes on where the rows end
  const lines = [
    drawn("line", { x1: x(Math.max(0, before.length - 1)), x2: x(Math.max(0, before.length - 1)), y1: 0, y2: HEIGHT }),
    drawn("polyline", { points: points(before, 0) }),
    drawn("polyline", { class: "ahead", points: points([...join, ...ahead], before.length - join.length) }),
  ];
  const told = `${name}: from ${number(low)} to ${number(high)}; the last step ahead is ${number(ahead.at(-1))}`;
  return make("figure", { class: "chart" }, drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": told }, ...lines), make("figcaption", {}, told));
}
