// Rows of a table: a field per column, and what each field does.
import { many, one, predictAll, score } from "./ask.js";
import { effectTold, key, make, number, signedBars } from "./view.js";

export function tableInput(about, changed) {
  const columns = merged(about.feature.columns), fields = new Map();
  const values = () => Object.fromEntries(columns.map((column) => [column.source, read(column, fields.get(column.source))]));
  let timer;
  const told = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (![...fields.values()].every((field) => field.checkValidity())) return form.reportValidity();
      const row = values();
      changed({ request: one(row), explain: (answer) => explain(about, columns, row, answer) });
    }, 120);
  };
  const form = make("form", { onsubmit: (event) => event.preventDefault(), oninput: told });
  const grid = make("div", { class: "fields" }, ...columns.map((column, place) => {
    const id = `field-${place}`, field = fieldOf(column, id);
    fields.set(column.source, field);
    const note = make("p", { class: "note", id: `${id}-note` }, noteOf(column));
    return make("div", {}, make("label", { for: id }, column.source), field, note);
  }));
  form.append(grid);
  return {
    element: form,
    how: "Each field in turn is set to what is usual: the median, or the most frequent category. Where the answer moves, the field counted.",
    take: (example) => {
      const row = [JSON.parse(example.text)].flat()[0];
      for (const column of columns) write(column, fields.get(column.source), row[column.source]);
      told();
    },
    label: (example) => `Row ${Number.parseInt(example.name, 10) + 1 || example.name}`,
  };
}

/** A column of the table may be several of the model: the parts of a date. */
function merged(columns) {
  const found = new Map();
  for (const column of columns) {
    const known = found.get(column.source);
    const date = column.type === "date" || Boolean(column.part);
    const hours = column.part === "hour" || Boolean(known?.hours);
    found.set(column.source, { ...(known ?? column), kind: date ? "date" : column.type, hours });
  }
  return [...found.values()];
}

function fieldOf(column, id) {
  const attributes = { id, "aria-describedby": `${id}-note` };
  if (column.kind === "number") return make("input", { ...attributes, type: "number", step: "any", inputmode: "decimal" });
  if (column.kind === "date") return make("input", { ...attributes, type: column.hours ? "datetime-local" : "date" });
  const options = column.categories.map((name) => make("option", { value: name }, name));
  return make("select", attributes, make("option", { value: "" }, "(not known)"), ...options);
}

function noteOf(column) {
  const unit = column.unit ? ` ${column.unit}` : "";
  if (column.kind === "number" && column.minimum !== undefined) return `${number(column.minimum)} to ${number(column.maximum)}${unit} in training`;
  return unit.trim();
}

function read(column, field) {
  if (field.value === "") return null;
  return column.kind === "number" ? Number(field.value) : field.value;
}

function write(column, field, value) {
  const text = value === null || value === undefined ? "" : String(value);
  if (column.kind === "category" && text && ![...field.options].some((option) => option.value === text))
    field.append(make("option", { value: text }, text)); // one that training has not seen
  field.value = column.kind === "date" && !column.hours ? text.slice(0, 10) : text.slice(0, column.kind === "date" ? 16 : undefined);
}

/** What is usual: the median, the most frequent category; of a date nothing is known. */
function usual(column) {
  if (column.kind === "number") return column.median ?? null;
  if (column.kind === "date" || !column.counts?.length) return column.kind === "category" ? (column.categories[0] ?? null) : null;
  const counts = column.counts.slice(1, column.categories.length + 1); // the first are those without a code of their own
  return column.categories[counts.indexOf(Math.max(...counts))] ?? null;
}

async function explain(about, columns, row, answer) {
  const label = answer.label, copies = columns.map((column) => ({ ...row, [column.source]: usual(column) }));
  const answers = await predictAll(about, [row, ...copies], 40 * columns.length, many);
  const whole = score(answers[0], label);
  const effects = columns.map((column, place) => [column, whole - score(answers[place + 1], label)]);
  effects.sort((one, other) => Math.abs(other[1]) - Math.abs(one[1]));
  const name = ([column, effect]) => [`${column.source} (not ${usual(column) ?? "unknown"})`, effect];
  const [first, effect] = effects[0];
  return {
    told: effect ? `${first.source} counts most (${effectTold(label)(effect)}).` : "No single field moves this answer.",
    element: make("div", {}, key(label), signedBars(effects.slice(0, 15).map(name), effectTold(label))),
  };
}
