// The form: one row in, the answer with its reasons out.
import { ask, byId, make, models, number, percent, said, show, start, tell } from "./common.js";

const MANY = 40; // categories in a list to choose from; more are suggested as one types
const SHOWN = 12; // columns in the explanation that have a line of their own

let all = [], model, asked = 0;

start((document_) => {
  all = models(document_);
  byId("model").replaceChildren(...all.map((one) => make("option", { value: one.name, text: one.name })));
  byId("choice").hidden = all.length < 2;
  byId("send").disabled = byId("reset").disabled = !all.length;
  byId("served").textContent = `Served: ${document_.info.version.split(" ").join(", ")}`;
  choose();
});

byId("model").addEventListener("change", choose);
byId("reset").addEventListener("click", () => { fill(model.example); clear(); });
byId("ask").addEventListener("submit", (event) => { event.preventDefault(); send(); });

function choose() {
  model = all.find((one) => one.name === byId("model").value) ?? all[0];
  if (!model) return;
  byId("title").textContent = document.title = `Ask ${model.name}`;
  byId("fields").replaceChildren(...Object.entries(model.columns).map(([name, schema], place) => field(name, schema, place)));
  fill(model.example);
  clear();
}

function clear() {
  asked += 1; // what is under way is not shown any more
  tell([]);
  byId("said").textContent = "";
  byId("before").hidden = false;
  for (const id of ["result", "reasons", "warnings"]) byId(id).hidden = true;
  for (const input of inputs()) mark(input, "");
}

const inputs = () => [...document.querySelectorAll("[data-column]")];

// A field of the form; what is typed into it is read by `value`.
function field(name, schema, place) {
  const id = `column-${place}`, seen = schema["x-seen"];
  const input = control(id, seen, model.example[name]);
  Object.assign(input.dataset, { column: name, type: seen.type });
  const hint = hintOf(seen);
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  const parts = [make("label", { htmlFor: id, text: name }), input];
  if (input.list_) parts.push(input.list_);
  if (hint) parts.push(make("span", { class: "hint", id: `${id}-hint`, text: hint }));
  return make("div", { class: seen.type === "text" ? "field wide" : "field" }, ...parts);
}

function control(id, seen, example) {
  if (seen.type === "number") return make("input", { id, type: "number", step: "any" });
  if (seen.type === "boolean") return choice(id, [["yes", "true"], ["no", "false"]]);
  if (seen.type === "datetime") {
    const timed = typeof example === "string" && example.includes(" ");
    return make("input", { id, type: timed ? "datetime-local" : "date", step: timed ? 1 : "any" });
  }
  if (seen.type === "category" && seen.categories.length && seen.categories.length <= MANY && !seen.more) {
    return choice(id, seen.categories.map((category) => [category, category]));
  }
  if (seen.type !== "category") return make("textarea", { id });
  const input = make("input", { id, list: `${id}-list`, autocomplete: "off" });
  input.list_ = make("datalist", { id: `${id}-list` }, ...seen.categories.map((value) => make("option", { value })));
  return input;
}

// A list whose last entry is a missing value.
function choice(id, pairs) {
  const options = pairs.map(([text, value], place) => make("option", { text, value: String(place), "data-value": value }));
  return make("select", { id }, ...options, make("option", { text: "not known", value: "" }));
}

function hintOf(seen) {
  const words = [];
  if (seen.type === "number" && seen.low !== undefined) words.push(`seen: ${number(seen.low)} to ${number(seen.high)}`);
  if (seen.type === "datetime" && seen.low !== undefined) words.push(`seen: ${day(seen.low)} to ${day(seen.high)}`);
  if (seen.missing && seen.type !== "boolean") words.push("may be empty");
  return words.join("; ");
}

const day = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);

function fill(row) {
  for (const input of inputs()) {
    const cell = row[input.dataset.column];
    if (input.tagName === "SELECT") {
      input.value = [...input.options].find((option) => option.dataset.value === String(cell))?.value ?? "";
    } else {
      input.value = cell === null || cell === undefined ? "" : String(cell).replace(" ", input.type === "datetime-local" ? "T" : " ");
    }
  }
}

function value(input) {
  if (input.value === "") return null;
  if (input.tagName === "SELECT") {
    const chosen = input.selectedOptions[0].dataset.value;
    return input.dataset.type === "boolean" ? chosen === "true" : chosen;
  }
  if (input.dataset.type === "number") return Number(input.value);
  return input.type === "datetime-local" ? input.value.replace("T", " ") : input.value;
}

async function send() {
  clear();
  const mine = asked, broken = inputs().filter((input) => input.validity.badInput);
  broken.forEach((input) => mark(input, "This is not a number."));
  if (broken.length) return broken[0].focus();
  const body = { rows: [Object.fromEntries(inputs().map((input) => [input.dataset.column, value(input)]))] };
  byId("send").disabled = true;
  try {
    const answer = await ask(`${model.at}/predict`, body);
    if (mine !== asked) return;
    answered(answer);
    // that very version, whichever answers by now
    const version = answer.model.slice(answer.model.lastIndexOf("@"));
    const explained = await ask(`${model.at}${version}/explain`, body);
    if (mine === asked) explain(explained.explanations[0], explained.method);
  } catch (errors) {
    if (!Array.isArray(errors)) throw errors;
    if (mine === asked) refused(errors);
  } finally {
    byId("send").disabled = false;
  }
}

function refused(errors) {
  tell(errors);
  byId("before").hidden = true;
  for (const error of errors) {
    const places = error.where.split(", ").map((place) => place.replace(/^column /, ""));
    const input = inputs().find((one) => places.includes(one.dataset.column));
    if (input) mark(input, error.message);
  }
  document.querySelector("[aria-invalid=true]")?.focus();
}

function mark(input, text) {
  input.parentElement.querySelector(".wrong")?.remove();
  input.toggleAttribute("aria-invalid", false);
  if (!text) return;
  input.setAttribute("aria-invalid", "true");
  input.parentElement.append(make("span", { class: "wrong", text }));
}

function answered(answer) {
  const [one] = answer.predictions, numeric = "value" in one;
  const parts = [make("h2", { text: `The answer of ${answer.model}` }), make("p", { class: "big", text: numeric ? number(one.value, 6) : show(one.label) })];
  if (!numeric) parts.push(chances(one));
  else if ("low" in one) parts.push(...interval(one));
  byId("result").replaceChildren(...parts);
  byId("result").hidden = false;
  byId("before").hidden = true;
  if (matchMedia("(max-width: 820px)").matches) byId("answer").scrollIntoView();
  byId("said").textContent = numeric ? `Answer: ${number(one.value, 6)}` : `Answer: ${show(one.label)}, ${percent(one.probabilities[String(one.label)])}`;
  const warnings = answer.warnings.map((warning) => make("li", { text: said(warning) }));
  byId("warnings").replaceChildren(make("h2", { text: "Warnings" }), make("ul", {}, ...warnings));
  byId("warnings").hidden = !warnings.length;
}

function chances(one) {
  const rows = Object.entries(one.probabilities).map(([name, share]) => {
    const bar = make("span", { class: name === String(one.label) ? "bar" : "bar other", "aria-hidden": "true" });
    bar.style.width = `${100 * share}%`;
    return make("tr", {}, make("th", { scope: "row", text: name }), make("td", { class: "num", text: percent(share) }), make("td", { class: "pic" }, bar));
  });
  return make("table", { "aria-label": "Probability of each class" }, make("tbody", {}, ...rows));
}

function interval(one) {
  const dot = make("i");
  dot.style.left = `calc(${(100 * (one.value - one.low)) / (one.high - one.low || 1)}% - 2px)`;
  return [
    make("div", { class: "span", "aria-hidden": "true" }, dot),
    make("p", { class: "ends" }, make("span", { text: `from ${number(one.low, 6)}` }), make("span", { text: `to ${number(one.high, 6)}` })),
  ];
}

function explain(one, method) {
  const chance = one.of !== null;
  const tellOne = (value) => (chance ? percent(value) : number(value, 6));
  const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${chance ? `${(100 * Math.abs(value)).toFixed(1)} points` : number(Math.abs(value))}`;
  const moving = one.contributions.filter((part) => part.contribution !== 0);
  const shown = moving.slice(0, moving.length > SHOWN + 1 ? SHOWN : SHOWN + 1), rest = moving.slice(shown.length);
  const lines = shown.map((part) => ({ name: part.column, got: show(part.got), typical: show(part.typical), size: part.contribution }));
  if (rest.length) lines.push({ name: `${rest.length} other columns`, got: "", typical: "", size: rest.reduce((sum, part) => sum + part.contribution, 0) });
  const largest = Math.max(...lines.map((line) => Math.abs(line.size)), 1e-300);
  const rows = lines.map((line) => {
    const bar = make("i", { class: line.size > 0 ? "up" : "down" });
    bar.style.width = `${(50 * Math.abs(line.size)) / largest}%`;
    const cell = make("th", { scope: "row", text: line.name });
    if (line.got) cell.append(make("span", { class: "hint", text: `${line.got}, typical: ${line.typical}` }));
    return make("tr", {}, cell, make("td", { class: "num", text: signed(line.size) }), make("td", { class: "pic" }, make("span", { class: "both", "aria-hidden": "true" }, bar)));
  });
  const what = chance ? `The probability of ${show(one.of)}` : "The number";
  const from = `${what} would be ${tellOne(one.base)} for a typical row, and is ${tellOne(one.value)} here.`;
  const head = make("tr", {}, ...["Column", "Moves it by", "Direction"].map((text, place) => make("th", { scope: "col", text, class: place === 1 ? "num" : "" })));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  const key = make("p", { class: "key", "aria-hidden": "true" }, make("span", {}, make("i", { class: "up" }), "up"), make("span", {}, make("i", { class: "down" }), "down"));
  byId("reasons").replaceChildren(
    make("h2", { text: "Why" }), make("p", { text: from }),
    ...(rows.length ? [table, key] : [make("p", { text: "Every cell is the typical one, so no column moves it." })]),
    make("p", { class: "aside", text: `${method[0].toUpperCase()}${method.slice(1)}. Only what differs from the typical row moves an answer; this is not a cause in the world.` }),
  );
  byId("reasons").hidden = false;
}
