"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);

  // Every text goes through here: as text, never as markup.
  const make = (tag, name, text) => {
    const one = document.createElement(tag);
    if (name) one.className = name;
    if (text !== undefined) one.textContent = text;
    return one;
  };

  const theme = byId("theme");
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  nameTheme();

  // Tables: numbers by their value, words by the alphabet, what is undefined last.
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.value ?? (cell.tagName === "TH" ? cell.textContent : "");
    return value === "" ? null : Number.isNaN(Number(value)) ? value : Number(value);
  };
  const before = (one, other, sign) => {
    if (one === null || other === null) return (one === null) - (other === null);
    if (typeof one === "number" && typeof other === "number") return sign * (one - other);
    return sign * String(one).localeCompare(String(other));
  };
  for (const button of document.querySelectorAll("button.sort")) {
    button.addEventListener("click", () => {
      const head = button.closest("th"), table = button.closest("table"), body = table.tBodies[0];
      const falling = head.getAttribute("aria-sort") === "none" ? head.cellIndex > 0 : head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [valueOf(row, head.cellIndex), row]);
      rows.sort((one, other) => before(one[0], other[0], falling ? -1 : 1));
      body.append(...rows.map(([, row]) => row));
    });
  }

  // Answers.
  const form = byId("filters");
  if (!form) return;
  const list = byId("rows"), pager = byId("pager"), PER_PAGE = 10;
  const field = (name) => form.elements.namedItem(name);
  const ALL = "";
  let shown = [], page = 0, linked = null;

  const option = (value, text) => {
    const one = make("option", "", text);
    one.value = value;
    return one;
  };
  const fill = (name, choices) => {
    const select = field(name), kept = select.options.length ? select.value : null;
    select.replaceChildren(...choices.map(([value, text]) => option(value, text)));
    if (choices.some(([value]) => value === kept)) select.value = kept;
  };
  const distinct = (values) => [...new Set(values)];
  const current = () => data.scenarios[Number(field("scenario").value)];

  const fillAll = () => {
    const one = current(), words = (text) => text.replaceAll("_", " ");
    fill("place", [...distinct(one.rows.map((row) => row.v)).map((place) => [place, words(place)]), [ALL, "every place"]]);
    fill("model", [[ALL, "every model"], ...one.models.map((name, index) => [String(index), name])]);
    fill("outcome", [[ALL, "any"], ...Object.entries(data.outcomes).filter(([name]) => !(one.private ? ["wrong"] : ["leak", "part"]).includes(name))]);
    fill("kind", [[ALL, "any"], ...distinct(one.rows.flatMap((row) => row.k)).sort().map((kind) => [kind, words(kind)])]);
    fill("patient", [[ALL, "any"], ...distinct(one.rows.map((row) => row.p)).sort().map((patient) => [patient, patient])]);
  };

  const plain = (segments) => (segments || []).map((part) => typeof part === "string" ? part : Array.isArray(part) ? part[0] : " ").join("");
  const wordsOf = (row) => row.text ??= [row.i, row.p, plain(row.q), plain(row.t), plain(row.a), ...row.d.map((one) => plain(one.x))].join("\n").toLowerCase();
  const hasChanged = (row, one, mine) => one.pairs.some(([before, after]) => mine(one.voices[before]) && row.b[before] !== row.b[after]);

  const matches = (row, one) => {
    const model = field("model").value, outcome = field("outcome").value, changed = field("changed");
    if (field("place").value && row.v !== field("place").value) return false;
    if (field("kind").value && !row.k.includes(field("kind").value)) return false;
    if (field("patient").value && row.p !== field("patient").value) return false;
    const mine = (voice) => model === ALL || voice.m === Number(model);
    // The target tells everything; of every model, what counts is what methods and controls say.
    const counts = (voice) => model === ALL ? !data.references.includes(one.models[voice.m]) : mine(voice);
    if (outcome && !one.voices.some((voice, place) => counts(voice) && row.d[row.b[place]].o === outcome)) return false;
    if (changed && changed.checked && !hasChanged(row, one, mine)) return false;
    const words = field("words").value.trim().toLowerCase();
    return !words || wordsOf(row).includes(words);
  };

  const write = (into, segments) => {
    for (const part of segments) {
      if (typeof part === "string") into.append(part);
      else if (typeof part === "number") into.append(make("span", "gap", ` … ${part.toLocaleString("en")} characters not shown … `));
      else {
        const mark = make("mark", part[1], part[0]);
        mark.append(make("span", "word", part[2].replaceAll("_", " ")));
        into.append(mark);
      }
    }
    return into;
  };
  const textOf = (segments) => {
    const text = make("span", "text");
    text.dir = "auto";
    if (!segments.length) text.append(make("span", "gap", "(nothing)"));
    return write(text, segments);
  };

  const saidBy = (row, one, index) => {
    const answers = new Map();
    one.voices.forEach((voice, place) => {
      if (voice.m !== index) return;
      const seeds = answers.get(row.b[place]) || [];
      answers.set(row.b[place], [...seeds, voice.s]);
    });
    const several = [...answers.values()].flat().length > 1;
    return [...answers].map(([place, seeds], number) => {
      const answer = row.d[place];
      const item = make("li", `${number ? "again" : ""} ${data.references.includes(one.models[index]) ? "ref" : ""}`);
      const who = make("span", "who", number ? "" : one.models[index]);
      if (several && answers.size > 1) who.append(make("small", "", seeds.join(", ")));
      const badge = make("span", `badge ${answer.o}`, data.outcomes[answer.o]);
      const cell = make("div", "text-cell");
      cell.append(textOf(answer.x));
      for (const note of answer.n || []) cell.append(make("span", "extra", note));
      if (answer.w) {
        const thought = make("details"), inside = textOf(answer.w);
        thought.append(make("summary", "", "its thought, which is not scored"), inside);
        cell.append(thought);
      }
      item.append(who, badge, cell);
      return item;
    });
  };

  const describe = (into, term, segments) => {
    if (!segments) return;
    const value = make("dd");
    value.append(textOf(segments));
    into.append(make("dt", "", term), value);
  };

  const cardOf = (row, one) => {
    const item = make("li"), card = make("article", "row");
    card.id = `row-${encodeURIComponent(row.i)}`;
    card.tabIndex = -1;
    const ask = make("div", "ask"), side = make("div"), right = make("div");
    const source = data.images[row.m];
    if (source) {
      const image = make("img");
      image.src = source;
      image.alt = row.l;
      side.append(image);
    } else side.append(make("div", "none", "image not in this page"));
    const question = make("h3");
    question.append(textOf(row.q));
    const facts = make("dl");
    describe(facts, one.private ? "learned" : "learned, wrong", row.a);
    describe(facts, "true", row.t);
    const meta = make("p", "meta"), link = make("a", "", `#row-${row.i}`);
    link.href = `#${card.id}`;
    meta.append(`${row.v.replaceAll("_", " ")} · ${row.k.join(", ").replaceAll("_", " ")} · patient ${row.p} · `, link);
    right.append(question, facts, meta);
    ask.append(side, right);
    const said = make("ul", "said"), chosen = field("model").value;
    one.models.forEach((name, index) => {
      const beside = one.always.includes(name);
      if (chosen === ALL || index === Number(chosen) || beside) said.append(...saidBy(row, one, index));
    });
    card.append(ask, said);
    if (linked === row.i) card.classList.add("linked");
    item.append(card);
    return item;
  };

  const draw = () => {
    const one = current(), pages = Math.max(1, Math.ceil(shown.length / PER_PAGE));
    page = Math.min(page, pages - 1);
    const from = page * PER_PAGE;
    list.replaceChildren(...shown.slice(from, from + PER_PAGE).map((row) => cardOf(row, one)));
    byId("count").textContent = shown.length ? `${shown.length} of ${one.rows.length} rows` : "No row is like that; reset the filters to see all.";
    byId("page").textContent = `page ${page + 1} of ${pages}`;
    byId("before").disabled = page === 0;
    byId("after").disabled = page === pages - 1;
    pager.hidden = pages === 1;
  };
  const filter = () => {
    const one = current();
    shown = one.rows.filter((row) => matches(row, one));
    page = 0;
    draw();
  };

  const showAll = () => {
    for (const select of form.querySelectorAll("select:not([name=scenario])")) select.selectedIndex = 0;
    field("words").value = "";
    if (field("changed")) field("changed").checked = data.compared;
  };
  const follow = () => {
    let hash = "";
    try { hash = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    if (!hash.startsWith("row-")) return;
    const id = hash.slice(4), place = data.scenarios.findIndex((one) => one.rows.some((row) => row.i === id));
    if (place < 0) return;
    linked = id;
    if (!shown.some((row) => row.i === id) || current() !== data.scenarios[place]) {
      field("scenario").value = String(place);
      fillAll();
      showAll();
      field("place").value = ALL;
      if (field("changed")) field("changed").checked = false;
      filter();
    }
    page = Math.floor(shown.findIndex((row) => row.i === id) / PER_PAGE);
    draw();
    const card = byId(`row-${encodeURIComponent(id)}`);
    card.scrollIntoView();
    card.focus();
  };

  const turn = (by) => {
    page += by;
    draw();
    byId("answers").scrollIntoView();
  };
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
  field("scenario").addEventListener("change", () => { fillAll(); });
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => { event.preventDefault(); showAll(); filter(); });
  addEventListener("hashchange", follow);
  form.hidden = false;
  fillAll();
  filter();
  follow();
})();
