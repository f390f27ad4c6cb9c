"use strict";
// Values from the stream are untrusted: they are only ever set as text, never as markup.
(() => {
  const $ = (id) => document.getElementById(id);
  const wholeNumber = new Intl.NumberFormat("en");
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

  // ---- Formatting
  const whole = (n) => wholeNumber.format(n ?? 0);
  const short = (n) => (n < 100000 ? whole(n) : compact.format(n));
  const perSecond = (r) => (r === null ? "–" : r === 0 ? "0" : r < 10 ? r.toFixed(1) : r < 10000 ? whole(Math.round(r)) : compact.format(r));
  const age = (s) => (s < 1 ? "under a second" : s < 120 ? `${Math.round(s)} s` : s < 7200 ? `${Math.round(s / 60)} min` : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`);
  // An entry id can contain any time, also one beyond the range of a Date (ECMA-262, 21.4.1.1).
  const isTime = (ms) => Math.abs(ms) <= 8.64e15;
  const clock = (ms) => (ms > 0 && isTime(ms) ? new Date(ms).toLocaleTimeString("en-GB") : "");
  const day = (ms) => !isTime(ms) ? `${whole(ms)} ms after 1970` : new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
  const make = (name, cls, text) => {
    const node = document.createElement(name);
    if (cls) node.className = cls;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const svg = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  // A value of /metrics; the attributes allow a comparison of the two.
  const figure = (id, text, metric, value) => {
    const node = $(id);
    node.textContent = text;
    if (metric) { node.dataset.metric = metric; node.dataset.value = value; } else { delete node.dataset.metric; delete node.dataset.value; }
  };
  const keyOf = (line) => line.key ?? (line.key_b64 !== undefined ? `base64 ${line.key_b64}` : "no key");

  // ---- Rates: the differences of counters between two documents
  let last = null;
  let rates = new Map();
  const history = [];
  const counters = (doc) => {
    const found = new Map([["read", doc.read], ["revoked", doc.revocations.total]]);
    for (const stage of doc.stages) {
      for (const what of ["passed", "finished", "failed", "skipped"]) found.set(`${what} ${stage.name}`, stage[what]);
    }
    for (const o of doc.outcomes) found.set(`${o.outcome} ${o.reason}`, o.count);
    return found;
  };
  const measure = (doc) => {
    const now = counters(doc);
    const known = new Map();
    if (last && doc.uptime_s >= last.uptime) {
      const seconds = Math.max(0.1, (doc.now_ms - last.time) / 1000);
      for (const [name, value] of now) {
        // A reason that appears for the first time counts from 0.
        known.set(name, Math.max(0, value - (last.counters.get(name) ?? 0)) / seconds);
      }
      history.push(known.get("read"));
      if (history.length > 120) history.shift();
    }
    last = { counters: now, time: doc.now_ms, uptime: doc.uptime_s };
    rates = known;
  };
  const rate = (name) => rates.get(name) ?? (rates.size ? 0 : null);
  const sum = (...all) => (all.some((r) => r === null) ? null : all.reduce((a, b) => a + b, 0));
  const intoStage = (name) => sum(...["passed", "finished", "failed", "skipped"].map((w) => rate(`${w} ${name}`)));

  // ---- The graph
  let drawn = "";
  let rateLabels = [];
  const stageOf = (place) => (place.startsWith("stage:") ? place.slice(6) : null);
  const edgeRate = (line, arrows) => {
    const from = stageOf(line.from), to = stageOf(line.to);
    if (line.kind === "failure") return rate(`failed ${from}`);
    if (line.kind === "store") return rate(`passed ${from}`);
    if (line.from === "source") return rate("read");
    if (to && arrows.filter((a) => a.to === line.to).length === 1) return intoStage(to);
    return line.kind === "next" ? sum(rate(`passed ${from}`), rate(`skipped ${from}`)) : undefined;
  };
  const corners = (points) => {
    let path = `M${points[0][0]} ${points[0][1]}`;
    const towards = (to, from) => {
      const dx = to[0] - from[0], dy = to[1] - from[1];
      return [from[0] + Math.sign(dx) * Math.min(7, Math.abs(dx) / 2), from[1] + Math.sign(dy) * Math.min(7, Math.abs(dy) / 2)];
    };
    for (let i = 1; i < points.length; i++) {
      if (i === points.length - 1) { path += `L${points[i][0]} ${points[i][1]}`; break; }
      const a = towards(points[i - 1], points[i]), b = towards(points[i + 1], points[i]);
      path += `L${a[0]} ${a[1]}Q${points[i][0]} ${points[i][1]} ${b[0]} ${b[1]}`;
    }
    return path;
  };
  const labelPlace = (line) => {
    const [a, b] = line.points;
    if (line.points.length === 2 && a[1] === b[1]) return { x: (a[0] + b[0]) / 2 - 2, y: a[1] - 7, "text-anchor": "middle" };
    if (a[0] === b[0]) return { x: a[0] + 6, y: a[1] + 14 };
    return { x: b[0] + 5, y: (a[1] + line.points[2][1]) / 2 };
  };
  const draw = (doc, picture) => {
    const art = svg("svg", { viewBox: `0 30 ${picture.width} ${picture.height - 50}`, width: picture.width, height: picture.height - 50 });
    const heads = svg("defs", {});
    for (const kind of ["next", "failure", "route", "store"]) {
      const head = svg("marker", { id: `head-${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto", markerUnits: "userSpaceOnUse" });
      head.setAttribute("markerWidth", 9); head.setAttribute("markerHeight", 9);
      head.append(svg("path", { class: `m-${kind}`, d: "M0 0 8 4 0 8z" }));
      heads.append(head);
    }
    art.append(heads);
    for (const g of picture.groups) {
      art.append(svg("rect", { class: `group ${g.kind}`, x: g.x, y: g.y, width: g.width, height: g.height, rx: 12 }));
      art.append(svg("text", { class: `branch tone-${g.kind}`, x: g.x + 16, y: g.y + 20 }, `branch ${g.title}`));
    }
    rateLabels = [];
    const labels = [];
    for (const line of picture.lines) {
      const path = svg("path", { class: `l-${line.kind}`, d: corners(line.points) });
      if (line.head) path.setAttribute("marker-end", `url(#head-${line.kind})`);
      art.append(path);
      const label = svg("text", { class: `rate ${line.kind}`, ...labelPlace(line) });
      label.dataset.from = line.from; label.dataset.to = line.to;
      labels.push(label);
      rateLabels.push({ line, label, path });
    }
    for (const box of picture.boxes) {
      const kind = box.place.split(":")[0];
      const group = svg("g", {});
      group.append(svg("title", {}, box.tooltip));
      group.append(svg("rect", { class: `box ${kind}`, x: box.x, y: box.y, width: box.width, height: box.height, rx: kind === "source" ? box.height / 2 : kind === "store" ? 16 : 8 }));
      const height = 17 + box.lines.length * 17;
      let y = box.y + box.height / 2 - height / 2 + 14;
      const x = box.x + box.width / 2;
      group.append(svg("text", { class: "title", x, y, "text-anchor": "middle" }, box.title));
      for (const text of box.lines) {
        y += 17;
        group.append(svg("text", { class: `tone-${text.tone}`, x, y, "text-anchor": "middle" }, text.text));
      }
      art.append(group);
    }
    art.append(...labels);
    $("graph").replaceChildren(art);
    for (const kind of ["next", "failure", "route", "store"]) {
      document.querySelector(`.k.${kind}`).hidden = !picture.lines.some((l) => l.kind === kind);
    }
  };
  const narrow = window.matchMedia("(max-width: 720px)");
  let latest = null;
  const showGraph = (doc) => {
    const which = narrow.matches ? "narrow" : "wide";
    const version = `${doc.reloads.generation} ${which}`;
    if (version !== drawn) { draw(doc, doc.pictures[which]); drawn = version; }
    for (const { line, label, path } of rateLabels) {
      const value = edgeRate(line, doc.graph.arrows);
      label.textContent = value === undefined ? "" : perSecond(value);
      label.classList.toggle("zero", !value);
      path.classList.toggle("busy", value > 0);
    }
  };
  narrow.addEventListener("change", () => latest && showGraph(latest));

  // ---- The figures
  const showSpark = () => {
    if (history.length < 2) return;
    const top = Math.max(...history, 1);
    const points = history.map((r, i) => `${(120 - (history.length - 1 - i) * (120 / 119)).toFixed(2)} ${(35 - (r / top) * 31).toFixed(2)}`);
    $("spark-line").setAttribute("d", `M${points.join("L")}`);
    const first = points[0].split(" ")[0];
    $("spark-area").setAttribute("d", `M${first} 36L${points.join("L")}L120 36Z`);
  };
  const showTiles = (doc) => {
    figure("rate", perSecond(rate("read")));
    figure("read", `${whole(doc.read)} read`, "sluice_events_read_total", doc.read);
    // The metrics are absent while they are unknown.
    const behind = doc.lag.entries ?? null, seconds = doc.lag.seconds ?? null;
    figure("lag", behind === null ? (doc.source.caught_up ? "0" : "unknown") : short(behind), behind === null ? "" : "sluice_source_lag_entries", behind);
    $("lag").className = `figure ${doc.source.caught_up || behind === 0 ? "" : "notice"}`;
    const unit = behind === null ? [] : ["entries"];
    const detail = doc.source.caught_up ? "caught up" : doc.source.state !== "reading" && seconds === null ? "not connected" : [...unit, seconds === null ? "age unknown" : age(seconds)].join(" · ");
    figure("lag-seconds", detail, seconds === null ? "" : "sluice_source_lag_seconds", seconds);
    const store = doc.freshness[0];
    $("held-name").textContent = doc.freshness.length === 1 ? `Snapshots in ${store.store}` : "Snapshots in all stores";
    const entries = doc.freshness.reduce((a, s) => a + s.entries, 0);
    figure("held", short(entries), doc.freshness.length === 1 ? `sluice_store_entries{store="${store.store}"}` : "", entries);
    const stale = doc.freshness.filter((s) => s.stale);
    $("held-age").textContent = !store ? "no stores" : stale.length ? "lookups refused" : store.age_s !== undefined ? store.age_s < 1.5 ? "up to date" : `confirmed ${age(store.age_s)} ago` : "";
    $("held").className = `figure ${stale.length ? "bad" : ""}`;
    const bad = doc.outcomes.filter((o) => ["dropped", "evicted", "dead_lettered"].includes(o.outcome));
    const failing = sum(0, ...bad.map((o) => rate(`${o.outcome} ${o.reason}`)));
    figure("failed", rates.size ? perSecond(failing) : "–");
    $("failed").className = `figure ${failing > 0 ? "bad" : ""}`;
    $("failed-total").textContent = `${whole(bad.reduce((a, o) => a + o.count, 0))} in total`;
    figure("revoked", perSecond(rate("revoked")));
    $("revoked-total").textContent = `${whole(doc.revocations.total)} in total`;
    const words = { idle: "starting", connecting: "not connected", reading: "reading", stopped: "stopped" };
    const state = doc.source.state === "reading" && !doc.source.caught_up ? "catching up" : words[doc.source.state] ?? doc.source.state;
    figure("source", state, "sluice_source_connected", doc.source.state === "reading" ? 1 : 0);
    $("source").className = `figure word ${state === "reading" ? "good" : doc.source.state === "reading" ? "notice" : "bad"}`;
    $("source-detail").textContent = `${doc.source.reconnects ? `${whole(doc.source.reconnects)} reconnect${doc.source.reconnects === 1 ? "" : "s"} · ` : ""}${doc.source.cursor ? `at ${doc.source.cursor}` : ""}`;
  };
  const showOutcomes = (doc) => {
    const rows = doc.outcomes.map((o) => {
      const row = make("tr");
      row.dataset.metric = `sluice_events_total{outcome="${o.outcome}",reason="${o.reason}"}`;
      row.dataset.value = o.count;
      const cell = make("td");
      cell.append(make("span", `tag ${o.outcome}`, o.outcome.replace("_", " ")));
      row.append(cell, make("td", "", o.reason || "–"), make("td", "n", perSecond(rate(`${o.outcome} ${o.reason}`))), make("td", "n", whole(o.count)));
      return row;
    });
    if (!rows.length) { const row = make("tr"); const cell = make("td", "quiet", "No events yet."); cell.colSpan = 4; row.append(cell); rows.push(row); }
    $("outcomes").replaceChildren(...rows);
  };
  const item = (tagClass, tag, key, time, detail) => {
    const li = make("li"), top = make("div", "top");
    if (tag) top.append(make("span", `tag ${tagClass}`, tag));
    top.append(make("span", "key mono", key), make("time", "", time));
    li.append(top);
    if (detail) li.append(make("div", "quiet", detail));
    return li;
  };
  const eventItem = (e) => item(e.outcome, (e.reason ?? e.outcome).replace("_", " "), keyOf(e), clock(e.at_ms), `${e.error ?? (e.ended_by ? `ended by ${e.ended_by}` : e.outcome)} · entry ${e.entry}`);
  // A revocation, an eviction or a reset; a revocation has no kind.
  const endItem = (r, key) => r.kind === "reset"
    ? item("dropped", "store emptied", r.store, "", r.reason.replaceAll("_", " "))
    : item("evicted", r.kind === "eviction" ? "evicted" : "revoked", key, clock(r.added_ms), `${r.reason ? `${r.reason.replaceAll("_", " ")} · ` : ""}entry ${r.entry}`);
  const showLists = (doc) => {
    const drops = doc.drops.map(eventItem);
    $("drops").replaceChildren(...(drops.length ? drops : [make("li", "none", "None since the worker started.")]));
    const revocations = doc.revocations.recent.map((r) => endItem(r, r.key));
    $("revocations").replaceChildren(...(revocations.length ? revocations : [make("li", "none", "None since the worker started.")]));
  };
  const showBanners = (advice) => {
    $("banners").replaceChildren(...advice.filter((a) => a.level !== "good").map((a) => {
      const banner = make("div", `banner ${a.level}`);
      banner.append(make("strong", "", a.title), make("span", "", a.text));
      return banner;
    }));
  };
  const pill = (text, level) => { $("pill").textContent = text; $("pill").className = `pill ${level}`; };

  const show = (doc) => {
    latest = doc;
    measure(doc);
    document.title = `${doc.ready || doc.advice.every((a) => a.level === "good") ? "" : "(not ready) "}${doc.graph.pipeline} · Sluice`;
    $("pipeline").textContent = doc.graph.pipeline;
    $("stream").textContent = `${doc.graph.source.type} ${doc.graph.source.stream}`;
    $("clock").textContent = clock(doc.now_ms);
    $("uptime").textContent = `up ${age(doc.uptime_s)}`;
    // Between two batches of a busy stream, a worker is always slightly behind.
    const passing = !doc.ready && doc.advice.every((a) => a.level === "good");
    pill(doc.ready ? "ready" : passing ? "catching up" : "not ready", doc.ready ? "good" : passing ? "notice" : "bad");
    showBanners(doc.advice);
    showTiles(doc); showSpark(); showGraph(doc); showOutcomes(doc); showLists(doc);
    const stores = doc.graph.stores.map((s) => s.name).join("\n");
    if ($("lookup-store").dataset.names !== stores) {
      $("lookup-store").dataset.names = stores;
      $("lookup-store").replaceChildren(...doc.graph.stores.map((s) => make("option", "", s.name)));
      $("lookup-store").hidden = doc.graph.stores.length < 2;
      if (doc.graph.stores[0]) $("lookup-key").placeholder = doc.graph.stores[0].key || "Key";
    }
    document.body.classList.remove("stale");
    document.body.dataset.documents = Number(document.body.dataset.documents ?? 0) + 1;
  };

  // ---- The connection: fetch and not EventSource, which cannot send a token
  let token = sessionStorage.getItem("sluice-token") ?? "";
  const headers = () => (token ? { authorization: `Bearer ${token}` } : {});
  const lost = (why) => {
    document.body.classList.add("stale");
    pill("no connection", "bad");
    showBanners([{ level: "bad", title: "Disconnected from the worker", text: `${why} ${latest ? `The data is from ${clock(latest.now_ms)}. ` : ""}The page keeps reconnecting; if that fails, see the log of the worker.` }]);
  };
  const ask = (problem) => {
    $("login").hidden = false;
    $("login-problem").hidden = !problem;
    $("login-problem").textContent = problem;
    pill("token required", "notice");
    $("token").focus();
  };
  const read = async (response, alive) => {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      text += value;
      // Only the newest document is shown: a tab that was suspended continues with the current state.
      let end, data = null;
      while ((end = text.indexOf("\n\n")) >= 0) {
        const lines = text.slice(0, end).split("\n");
        text = text.slice(end + 2);
        const found = lines.find((l) => l.startsWith("data: "));
        if (found) data = found.slice(6);
      }
      if (data) show(JSON.parse(data));
    }
  };
  let waiting = 1000;
  const connect = async () => {
    const control = new AbortController();
    // The worker sends one document per second: ten seconds without one mean that the connection hangs.
    let timer = 0;
    const alive = () => { clearTimeout(timer); timer = setTimeout(() => control.abort(), 10000); };
    alive();
    let why = "The connection was closed.";
    try {
      const response = await fetch("/v1/live", { headers: headers(), signal: control.signal, cache: "no-store" });
      if (response.status === 401) {
        clearTimeout(timer);
        ask(token ? "Wrong token." : "");
        return;
      }
      if (!response.ok) {
        const body = await response.json().catch(() => ({}));
        why = body.message ? `The worker reports: ${body.message}.` : `The worker responds with status ${response.status}.`;
      } else {
        $("login").hidden = true;
        if (token) sessionStorage.setItem("sluice-token", token);
        waiting = 1000;
        await read(response, alive);
      }
    } catch (error) {
      why = control.signal.aborted ? "The worker has sent nothing for ten seconds." : "The worker does not respond.";
    }
    clearTimeout(timer);
    lost(why);
    setTimeout(connect, waiting);
    waiting = Math.min(waiting * 1.5, 10000);
  };
  $("login").addEventListener("submit", (event) => { event.preventDefault(); token = $("token").value.trim(); connect(); });

  // ---- Lookups
  const terms = (pairs) => {
    const list = make("dl");
    for (const [name, value] of pairs) list.append(make("dt", "", name), make("dd", "mono", value));
    return list;
  };
  $("lookup").addEventListener("submit", async (event) => {
    event.preventDefault();
    const key = $("lookup-key").value, store = $("lookup-store").value;
    if (!key) return;
    const answer = $("answer");
    try {
      const response = await fetch(`/v1/explain/${encodeURIComponent(store)}/${encodeURIComponent(key)}`, { headers: headers(), cache: "no-store" });
      const found = await response.json();
      if (!response.ok) { answer.replaceChildren(make("p", "problem", found.message)); return; }
      const parts = [];
      if (found.stale) parts.push(make("p", "problem", `Lookups are refused: ${found.stale}.`));
      if (found.held) {
        parts.push(make("p", "say", `Held since ${day(found.held.added_ms)}, written by entry ${found.held.entry}.`));
        parts.push(terms(Object.entries(found.held.fields).map(([n, v]) => [n, String(v)])));
      } else if (found.evicted_by) {
        parts.push(make("p", "say", `Not held: evicted by entry ${found.evicted_by.entry}, ${day(found.evicted_by.added_ms)}.`));
      } else {
        parts.push(make("p", "say", "Not held; no eviction is on record."));
      }
      const list = make("ol", "list");
      for (const r of found.revocations) list.append(endItem(r, found.key));
      for (const e of found.events) list.append(eventItem(e));
      if (list.childElementCount) parts.push(list);
      else parts.push(make("p", "quiet", "No failed, skipped or revoking event is on record."));
      answer.replaceChildren(...parts);
    } catch { answer.replaceChildren(make("p", "problem", "The worker does not respond.")); }
  });

  connect();
})();
