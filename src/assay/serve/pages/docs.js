// The reference: every model with a request that works, and every path.
import { byId, make, models, number, resolve, start } from "./common.js";

const NAMES = { number: "number", boolean: "true or false", datetime: "date", category: "category", text: "text", id: "text" };

start((document_) => {
  const secured = document_.security.length > 0;
  byId("served").textContent = `Served: ${document_.info.version.split(" ").join(", ")}`;
  const all = models(document_);
  byId("docs").replaceChildren(
    make("section", { class: "box" },
      make("p", { text: document_.info.description }),
      make("p", {}, "The same for programs: ", make("a", { href: "/openapi.json", text: "/openapi.json" }), secured ? ". Every request carries a token: Authorization: Bearer TOKEN." : "."),
    ),
    ...all.map((model, place) => section(model, place === 0, secured)),
    paths(document_),
    errors(document_),
  );
});

function section(model, first, secured) {
  const path = first ? "/predict" : `${model.at}/predict`;
  return make("section", { class: "box", id: `model-${model.name}` },
    make("h2", { text: model.name }),
    make("p", { class: "aside", text: first ? `The first model: its paths are also there without ${model.at}.` : "" }),
    examples(model, path, secured),
    make("h3", { text: "What it takes" }), make("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Columns" }, columns(model)),
    make("h3", { text: "What it answers for a row" }), make("pre", { tabIndex: 0, text: answer(model) }),
  );
}

function columns(model) {
  const rows = Object.entries(model.columns).map(([name, schema]) => {
    const seen = schema["x-seen"];
    const cells = [NAMES[seen.type] ?? seen.type, range(seen), seen.missing ? "yes" : "no", JSON.stringify(model.example[name])];
    return make("tr", {}, make("th", { scope: "row", text: name }), ...cells.map((text) => make("td", { text })));
  });
  const head = ["Column", "Type", "Seen in training", "Missing in training", "Typical"].map((text) => make("th", { scope: "col", text }));
  return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
}

function range(seen) {
  if (seen.type === "datetime" && seen.low !== undefined) return [seen.low, seen.high].map((at) => new Date(at * 1000).toISOString().slice(0, 10)).join(" to ");
  if (seen.low !== undefined) return `${number(seen.low)} to ${number(seen.high)}`;
  if (!seen.categories) return "";
  const some = seen.categories.slice(0, 8).join(", ");
  return seen.categories.length > 8 ? `${some} and ${seen.categories.length - 8} more` : some;
}

function answer(model) {
  const fields = model.answer.properties;
  if (!fields.label) return JSON.stringify(Object.fromEntries(Object.keys(fields).map((name) => [name, 0.0])), null, 2);
  const share = 1 / fields.label.enum.length;
  const chances = Object.fromEntries(Object.keys(fields.probabilities.properties).map((name) => [name, Number(share.toFixed(3))]));
  return JSON.stringify({ label: fields.label.enum[0], probabilities: chances }, null, 2);
}

function examples(model, path, secured) {
  const url = location.origin + path, body = { rows: [model.example] };
  const texts = { curl: curl(url, body, secured), Python: python(url, body, secured), R: r(url, body, secured) };
  const code = make("pre", { tabIndex: 0, role: "tabpanel" });
  const copy = make("button", { type: "button", text: "Copy", hidden: !navigator.clipboard });
  const tabs = Object.keys(texts).map((name) => make("button", { type: "button", role: "tab", text: name }));
  const choose = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
    }
    code.textContent = texts[chosen.textContent];
    code.setAttribute("aria-label", chosen.textContent);
    copy.textContent = "Copy";
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(place + step + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  });
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    copy.textContent = "Copied";
  });
  choose(tabs[0]);
  return make("div", { class: "code" }, make("div", { class: "line" }, make("div", { class: "tabs", role: "tablist", "aria-label": "Language" }, ...tabs), copy), code);
}

function curl(url, body, secured) {
  const token = secured ? ' \\\n  -H "Authorization: Bearer $TOKEN"' : "";
  const json = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  return `curl ${quoted(url)}${token} \\\n  -H "Content-Type: application/json" -d '${json}'`;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function python(url, body, secured) {
  const token = secured ? '\n    "Authorization": "Bearer " + os.environ["TOKEN"],' : "";
  return `import json${secured ? "\nimport os" : ""}
from urllib.request import Request, urlopen

rows = ${literal(body.rows, "", { null: "None", true: "True", false: "False", open: "{", close: "}", list: ["[", "]"], pair: (key, value) => `${JSON.stringify(key)}: ${value}` })}
headers = {
    "Content-Type": "application/json",${token}
}
request = Request(${JSON.stringify(url)}, json.dumps({"rows": rows}).encode(), headers)
print(json.load(urlopen(request)))`;
}

function r(url, body, secured) {
  const token = secured ? '\n  req_auth_bearer_token(Sys.getenv("TOKEN")) |>' : "";
  const rows = literal(body.rows, "", { null: "NULL", true: "TRUE", false: "FALSE", open: "list(", close: ")", list: ["list(", ")"], pair: (key, value) => `${JSON.stringify(key)} = ${value === "NULL" ? "NA" : value}` });
  return `library(httr2)

rows <- ${rows}
request(${JSON.stringify(url)}) |>${token}
  req_body_json(list(rows = rows)) |>
  req_perform() |>
  resp_body_json()`;
}

// JSON as it is written in another language.
function literal(value, indent, words) {
  const inner = `${indent}  `;
  if (value === null) return words.null;
  if (typeof value === "boolean") return words[value];
  if (typeof value !== "object") return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? words.list : [words.open, words.close];
  const parts = Array.isArray(value) ? value.map((one) => literal(one, inner, words)) : Object.entries(value).map(([key, one]) => words.pair(key, literal(one, inner, words)));
  return `${open}\n${parts.map((part) => inner + part).join(",\n")}\n${indent}${close}`;
}

function paths(document_) {
  const rows = Object.entries(document_.paths).flatMap(([path, item]) => ["get", "post", "put", "delete"].filter((method) => item[method]).map((method) => {
    const statuses = Object.keys(item[method].responses).join(", ");
    return make("tr", {},
      make("td", {}, make("span", { class: "method", text: method.toUpperCase() })),
      make("th", { scope: "row" }, make("code", { text: path })),
      make("td", { text: item[method].summary }), make("td", { text: statuses }));
  }));
  const head = ["", "Path", "What it does", "Statuses"].map((text) => make("th", { scope: "col", text }));
  return make("section", { class: "box" }, make("h2", { text: "Paths" }),
    make("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Paths" }, make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows))));
}

function errors(document_) {
  const rows = Object.entries(document_.components.responses).map(([name, response]) =>
    make("tr", {}, make("th", { scope: "row", text: name.replace("Error", "") }), make("td", { text: resolve(document_, response).description })));
  const example = { ok: false, errors: [{ code: "DATA-COLUMNS-MISSING", where: "tenure", message: "the rows lack 1 of the columns that the model needs", got: ["tenur"], allowed: ["tenure"], try: "add the columns; a value that is not known may be left empty" }] };
  return make("section", { class: "box" }, make("h2", { text: "When it does not work" }),
    make("pre", { tabIndex: 0, text: JSON.stringify(example, null, 2) }),
    make("table", {}, make("tbody", {}, ...rows)));
}
