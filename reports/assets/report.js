(() => {
'use strict';
const $ = id => document.getElementById(id);
// Every text of a run goes through textContent: nothing here builds HTML from data.
const el = (tag, cls, text) => {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  if (text !== undefined && text !== null) node.textContent = String(text);
  return node;
};
const index = JSON.parse($('index').textContent);
const secs = s => s === undefined ? '-' : s < 1 ? (s * 1000).toFixed(1) + ' ms' : s < 120 ? s.toFixed(1) + ' s' : (s / 60).toFixed(1) + ' min';
const bytes = b => b < 1048576 ? (b / 1024).toFixed(0) + ' KiB' : (b / 1048576).toFixed(1) + ' MiB';

// Theme: the system's, unless the reader chose.
const root = document.documentElement;
const remember = v => { try { localStorage.setItem('assay-theme', v); } catch (e) { /* file: URLs may refuse */ } };
try { const t = localStorage.getItem('assay-theme'); if (t) root.dataset.theme = t; } catch (e) { /* as above */ }
$('theme').addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme:dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  remember(root.dataset.theme);
});

// Sorting: a click or Enter on a column head.
// A cell that shows a number otherwise ("1.2 M", "2 min 5 s") has it in data-v.
const cellValue = td => {
  if (td.dataset.v !== undefined) return +td.dataset.v;
  const text = td.textContent.trim();
  if (text === '\u2013') return undefined;
  return /^[$]?-?[\d.]+$/.test(text) ? parseFloat(text.replace('$', '')) : text;
};
for (const table of document.querySelectorAll('table.sortable')) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((th, column) => {
    if (th.classList.contains('nosort')) return;
    th.tabIndex = 0;
    const sort = () => {
      const up = th.getAttribute('aria-sort') === 'descending';
      heads.forEach(h => h.removeAttribute('aria-sort'));
      th.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const x = cellValue(a.cells[column]), y = cellValue(b.cells[column]);
        if (x === undefined || y === undefined) return (x === undefined) - (y === undefined); // last
        const order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
        return up ? order : -order;
      });
      table.tBodies[0].append(...rows);
    };
    th.addEventListener('click', sort);
    th.addEventListener('keydown', e => { if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); sort(); } });
  });
}

// The attempt picker and its trajectory.
const pick = $('pick'), steps = $('steps'), outline = $('outline'), facts = $('facts'), find = $('find');
index.forEach((a, i) => {
  const mark = a.class === undefined ? 'not finished' : a.score !== undefined ? a.score.toFixed(3) : a.class;
  const option = el('option', '', a.task + ' #' + a.k + '  ' + a.arm + '  (' + mark + ')');
  option.value = i;
  pick.append(option);
});
let items = [], shown = [], nodes = new Map(), now = -1, current = -1, load = 0;
const hidden = new Set(['phase_begin', 'sandbox']);
const KINDS = [['model', 'Model'], ['message', 'Messages'], ['tool_call', 'Tool calls'], ['tool_result', 'Tool results'], ['exec', 'Commands'], ['terminal', 'Terminal'], ['note', 'Notes'], ['phase_end', 'Phases'], ['sandbox', 'Sandbox']];
for (const [kind, label] of KINDS) {
  const button = el('button', '', label);
  button.type = 'button';
  button.setAttribute('aria-pressed', String(!hidden.has(kind)));
  button.addEventListener('click', () => {
    hidden.has(kind) ? hidden.delete(kind) : hidden.add(kind);
    button.setAttribute('aria-pressed', String(!hidden.has(kind)));
    draw();
  });
  $('kinds').append(button);
}

const inflate = async text => {
  const raw = atob(text), data = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; ++i) data[i] = raw.charCodeAt(i);
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream('deflate'));
  return JSON.parse(await new Response(stream).text());
};

// Long texts are shown in part, with a button for the rest: a 10 MB line must not stop the page.
const LONG = 6000;
const longText = (tag, cls, text) => {
  const box = el(tag, cls);
  const put = whole => {
    box.textContent = '';
    const part = whole ? text : text.slice(0, LONG);
    highlight(box, part);
    if (!whole && text.length > LONG) {
      const more = el('button', '', 'show all ' + text.length.toLocaleString() + ' characters');
      more.type = 'button';
      more.addEventListener('click', () => put(true));
      box.append('\n', more);
    }
  };
  put(false);
  return box;
};
const highlight = (box, text) => {
  const needle = find.value.toLowerCase();
  if (!needle) { box.append(text); return; }
  const lower = text.toLowerCase();
  let at = 0;
  for (let hit = lower.indexOf(needle); hit >= 0; hit = lower.indexOf(needle, at)) {
    box.append(text.slice(at, hit), el('mark', '', text.slice(hit, hit + needle.length)));
    at = hit + needle.length;
  }
  box.append(text.slice(at));
};
const pretty = text => { try { return JSON.stringify(JSON.parse(text), null, 1); } catch (e) { return text; } };
const fold = (summary, node, open) => {
  const box = el('details');
  box.open = !!open;
  box.append(el('summary', '', summary), node);
  return box;
};
const picture = (src, box) => {
  if (!/^data:image\/(png|jpeg|gif|webp);base64,/.test(src)) { box.append(el('p', 'note', '[image left out]')); return; }
  const img = el('img');
  img.src = src;
  img.alt = 'image in the trajectory';
  box.append(img);
};
const addParts = (parts, box) => {
  for (const p of parts || []) {
    if (p.reasoning !== undefined) box.append(fold('Reasoning, ' + p.reasoning.length + ' characters', longText('pre', '', p.reasoning)));
    else if (p.call !== undefined) box.append(el('div', 'note', 'calls ' + p.call), longText('pre', '', pretty(p.arguments)));
    else if (p.result !== undefined) box.append(el('div', 'note', 'result of ' + p.result + (p.error ? ' (error)' : '')), longText('pre', '', p.text));
    else if (p.image !== undefined) picture(p.image, box);
    else if (p.text) box.append(longText('div', 'said', p.text));
  }
};
const argv = d => d.command !== undefined ? d.command : Array.isArray(d.argv) ? d.argv.join(' ') : '';
const firstText = d => { for (const p of d.parts || []) if (p.text) return p.text; else if (p.call) return p.call; return d.text || ''; };
const label = it => {
  const d = it.d;
  switch (it.k) {
    case 'model': return (d.role && d.role !== 'agent' ? d.role + ' ' : '') + 'turn ' + ((d.turn || 0) + 1) + ': ' + firstText(d).slice(0, 60);
    case 'message': return d.role + ': ' + firstText(d).slice(0, 60);
    case 'tool_call': return 'call ' + d.name;
    case 'tool_result': return 'result ' + d.name + (d.is_error ? ' (error)' : '');
    case 'exec': return '$ ' + argv(d).slice(0, 60);
    case 'terminal': return 'keys ' + JSON.stringify(d.keys || d.bytes || '').slice(0, 50);
    case 'phase_end': return 'phase ' + d.phase + ' ended';
    case 'phase_begin': return 'phase ' + d.phase;
    case 'score': return 'score ' + d.metric + ' = ' + d.value;
    case 'error': return 'error: ' + (d.message || '').slice(0, 60);
    case 'limit': return 'limit: ' + d.cause;
    default: return it.k + ' ' + (d.text || d.event || '').slice(0, 60);
  }
};
const isBad = it => it.k === 'error' || it.k === 'limit' || it.d.is_error === true || (it.k === 'exec' && (it.d.code || it.d.signal || it.d.timed_out));
const KNOWN = new Set(['parts', 'out', 'err', 'text', 'arguments', 'screen', 'image', 'structured', 'argv', 'command']);
const body = (it, box) => {
  const d = it.d;
  addParts(d.parts, box);
  if (it.k === 'exec') {
    box.append(longText('pre', '', '$ ' + argv(d)));
    if (d.out) box.append(longText('pre', '', d.out));
    if (d.err) box.append(el('div', 'note', 'stderr'), longText('pre', '', d.err));
  }
  if (d.arguments) box.append(longText('pre', '', pretty(d.arguments)));
  const said = it.k === 'note' || it.k === 'message';
  if (d.text && it.k !== 'exec') box.append(longText(said ? 'div' : 'pre', said ? 'said' : '', d.text));
  if (d.screen) box.append(longText('pre', '', d.screen));
  if (d.structured) box.append(fold('Structured result', longText('pre', '', pretty(d.structured))));
  if (d.image) picture(d.image, box);
  const rest = Object.entries(d).filter(([k, v]) => !KNOWN.has(k) && (it.k !== 'model') && v !== '');
  if (rest.length && (it.k === 'error' || it.k === 'limit' || it.k === 'score' || it.k === 'retry' || it.k === 'sandbox'))
    box.append(longText('pre', '', rest.map(([k, v]) => k + ': ' + (typeof v === 'string' ? v : JSON.stringify(v))).join('\n')));
};
const side = it => {
  const d = it.d, out = [it.t.toFixed(2) + ' s'];
  if (d.seconds !== undefined) out.push('took ' + secs(d.seconds));
  if (it.k === 'model' && d.prompt !== undefined) out.push(d.prompt + ' tokens in' + (d.cached ? ' (' + d.cached + ' cached)' : '') + ', ' + d.completion + ' out', d.finish);
  if (d.tries > 1) out.push(d.tries + ' tries');
  if (it.k === 'exec') out.push(d.timed_out ? 'timed out' : d.signal ? 'signal ' + d.signal : 'exit ' + d.code);
  if (d.end) out.push(d.end);
  return out.join(' \u00b7 ');
};
const stepNode = i => {
  const it = items[i], box = el('article', 'step k-' + it.k + (isBad(it) ? ' bad' : ''));
  box.id = 's' + i;
  const head = el('h4');
  head.append(el('b', '', label(it)), el('span', '', side(it)));
  box.append(head);
  body(it, box);
  box.addEventListener('click', () => mark(i, false));
  return box;
};
// What a step shows, without the names of its fields and the bytes of its pictures.
const texts = v => v === null || typeof v !== 'object' ? String(v) : Object.entries(v).map(([k, w]) => k === 'image' ? '' : texts(w)).join('\n');
const searchText = it => it.s || (it.s = (label(it) + '\n' + texts(it.d)).toLowerCase());
let drawn = 0;
const CHUNK = 60;
const sentinel = new IntersectionObserver(entries => { if (entries.some(e => e.isIntersecting)) drawMore(); }, {rootMargin: '800px'});
const drawMore = (upTo) => {
  sentinel.disconnect();
  const stop = Math.min(shown.length, Math.max(drawn + CHUNK, upTo || 0));
  for (; drawn < stop; ++drawn) {
    const i = shown[drawn], node = stepNode(i);
    nodes.set(i, node);
    steps.append(node);
  }
  if (drawn < shown.length && steps.lastChild) sentinel.observe(steps.lastChild);
};
const draw = () => {
  const needle = find.value.toLowerCase();
  shown = [];
  items.forEach((it, i) => {
    if (hidden.has(it.k)) return;
    if (needle && !searchText(it).includes(needle)) return;
    shown.push(i);
  });
  $('hits').textContent = needle ? shown.length + ' steps' : '';
  nodes.clear();
  drawn = 0;
  steps.textContent = '';
  outline.textContent = '';
  const links = document.createDocumentFragment();
  for (const i of shown) {
    const it = items[i];
    if (it.k === 'tool_result' || it.k === 'terminal') continue;
    const a = el('a', 'l' + Math.min(it.l || 0, 4) + (isBad(it) ? ' bad' : ''), label(it));
    a.href = '#a=' + current + '&s=' + i;
    a.dataset.s = i;
    links.append(a);
  }
  outline.append(links);
  drawMore();
  mark(now, false);
  if (!shown.length) steps.append(el('p', 'note', items.length ? 'No step matches.' : 'Nothing was recorded.'));
};
const mark = (i, scroll) => {
  const place = shown.indexOf(i);
  if (place < 0) return;
  if (place >= drawn) drawMore(place + 5);
  if (nodes.has(now)) nodes.get(now).classList.remove('now');
  for (const a of outline.querySelectorAll('a.now')) a.classList.remove('now');
  now = i;
  const node = nodes.get(i);
  node.classList.add('now');
  const link = outline.querySelector('a[data-s="' + i + '"]');
  if (link) { link.classList.add('now'); if (scroll) link.scrollIntoView({block: 'nearest'}); }
  if (scroll) node.scrollIntoView({block: 'start'});
};
const move = by => {
  const place = shown.indexOf(now);
  const next = shown[Math.max(0, Math.min(shown.length - 1, place + by))];
  if (next !== undefined) mark(next, true);
};
const showFacts = a => {
  facts.textContent = '';
  const list = el('dl');
  const add = (name, value) => { if (value === undefined || value === null) return; const d = el('div'); d.append(el('dt', '', name), el('dd', '', value)); list.append(d); };
  add('Task', a.task); add('Arm', a.arm); add('Attempt', a.k); add('Class', a.class);
  add('Score', a.score); add('Agent ended', a.agent); add('Verification', a.verify);
  add('Turns', a.turns); add('Tokens', a.in === undefined ? undefined : a.in + ' in, ' + a.out + ' out');
  add('Cost', a.cost === undefined ? undefined : '$' + a.cost.toFixed(4));
  add('Wall', a.wall === undefined ? undefined : secs(a.wall)); add('Queued', a.queue ? secs(a.queue) : undefined);
  add('CPU', a.cpu === undefined ? undefined : secs(a.cpu)); add('Peak memory', a.memory === undefined ? undefined : bytes(a.memory));
  add('Out-of-memory kills', a.oom); add('Tries', a.tries > 1 ? a.tries : undefined);
  facts.append(list);
  if (a.phases) facts.append(el('div', 'note', 'Phases: ' + a.phases.map(p => p.name + ' ' + secs(p.seconds) + (p.end && p.end !== 'done' ? ' (' + p.end + ')' : '')).join(' \u00b7 ')));
  if (a.error) facts.append(longText('pre', 'step', a.error));
  for (const s of a.scores || []) if (s.why) facts.append(fold('Why ' + s.metric + ' = ' + s.value, longText('pre', 'step', s.why), false));
};
const open = async (i, step) => {
  if (!(i >= 0 && i < index.length)) return;
  pick.value = i;
  if (i !== current) {
    const ticket = ++load;
    current = i;
    for (const c of document.querySelectorAll('.cell.here')) c.classList.remove('here');
    for (const c of document.querySelectorAll('.cell[href="#a=' + i + '"]')) c.classList.add('here');
    showFacts(index[i]);
    items = [];
    now = -1;
    player.stop();
    const block = $('t' + i);
    if (block) {
      try {
        const data = await inflate(block.textContent);
        if (ticket !== load) return;
        items = data.items;
        if (data.cut) items.push({k: 'note', t: items.length ? items[items.length - 1].t : 0, d: {text: data.cut + ' later events were left out of the report; assay show prints them.'}});
        if (data.cast) player.open(data.cast);
      } catch (e) { items = [{k: 'error', t: 0, d: {message: 'this trajectory cannot be unpacked: ' + e.message}}]; }
    } else if (index[i].class !== undefined) {
      items = [{k: 'note', t: 0, d: {text: 'This trajectory was left out to keep the file small; assay show prints it.'}}];
    }
    draw();
  }
  if (step !== undefined) mark(step, true);
};
const fromHash = () => {
  const m = /^#a=(\d+)(?:&s=(\d+))?$/.exec(location.hash);
  if (!m) return false;
  open(+m[1], m[2] === undefined ? undefined : +m[2]).then(() => { if (m[2] === undefined) $('browser').scrollIntoView(); });
  return true;
};

// Recordings: asciicast v2 on a small screen model (cursor moves, erase, scroll; colours are dropped).
class Screen {
  constructor(w, h) { this.w = w; this.h = h; this.clear(); this.held = ''; }
  clear() { this.rows = Array.from({length: this.h}, () => []); this.x = 0; this.y = 0; }
  resize(w, h) { // the lower rows stay, as in a terminal
    const gone = Math.max(0, this.y + 1 - h);
    this.rows = Array.from({length: h}, (_, r) => (this.rows[r + gone] || []).slice(0, w));
    this.w = w; this.h = h; this.x = Math.min(this.x, w - 1); this.y -= gone;
  }
  line() { if (this.y < this.h - 1) ++this.y; else { this.rows.shift(); this.rows.push([]); } }
  put(c) {
    if (this.x >= this.w) { this.x = 0; this.line(); }
    const row = this.rows[this.y];
    while (row.length < this.x) row.push(' ');
    row[this.x++] = c;
  }
  csi(args, final) {
    const n = (i, d) => { const v = parseInt(args.split(';')[i], 10); return isNaN(v) || v === 0 ? d : Math.min(v, 9999); };
    switch (final) {
      case 'A': this.y = Math.max(0, this.y - n(0, 1)); break;
      case 'B': this.y = Math.min(this.h - 1, this.y + n(0, 1)); break;
      case 'C': this.x = Math.min(this.w - 1, this.x + n(0, 1)); break;
      case 'D': this.x = Math.max(0, this.x - n(0, 1)); break;
      case 'G': this.x = Math.min(this.w, n(0, 1)) - 1; break;
      case 'd': this.y = Math.min(this.h, n(0, 1)) - 1; break;
      case 'H': case 'f': this.y = Math.min(this.h, n(0, 1)) - 1; this.x = Math.min(this.w, n(1, 1)) - 1; break;
      case 'J': {
        const mode = parseInt(args, 10) || 0;
        if (mode >= 2) { this.rows = this.rows.map(() => []); break; }
        if (mode === 1) { for (let r = 0; r < this.y; ++r) this.rows[r] = []; break; }
        this.rows[this.y].length = Math.min(this.rows[this.y].length, this.x);
        for (let r = this.y + 1; r < this.h; ++r) this.rows[r] = [];
        break;
      }
      case 'K': {
        const mode = parseInt(args, 10) || 0, row = this.rows[this.y];
        if (mode === 0) row.length = Math.min(row.length, this.x);
        else if (mode === 2) row.length = 0;
        else for (let c = 0; c <= this.x && c < row.length; ++c) row[c] = ' ';
        break;
      }
      case 'P': this.rows[this.y].splice(this.x, n(0, 1)); break;
      case 'L': for (let k = Math.min(n(0, 1), this.h); k > 0; --k) { this.rows.splice(this.y, 0, []); this.rows.pop(); } break;
      case 'M': for (let k = Math.min(n(0, 1), this.h); k > 0; --k) { this.rows.splice(this.y, 1); this.rows.push([]); } break;
      case 'h': case 'l': if (args === '?1049') this.clear(); break;
    }
  }
  feed(text) {
    text = this.held + text;
    this.held = '';
    for (let i = 0; i < text.length; ++i) {
      const c = text[i];
      if (c === '\x1b') {
        const rest = text.slice(i, i + 256);
        let m = /^\x1b\[([0-9;?>=!]*)[ -\/]*([@-~])/.exec(rest);
        if (m) { this.csi(m[1], m[2]); i += m[0].length - 1; continue; }
        m = /^\x1b\][^\x07\x1b]*(\x07|\x1b\\)/.exec(rest);
        if (m) { i += m[0].length - 1; continue; }
        m = /^\x1b([()#][\s\S]|[^\[\]()#])/.exec(rest);
        if (m) { i += m[0].length - 1; continue; }
        if (text.length - i < 256) { this.held = text.slice(i); return; }
      } else if (c === '\r') this.x = 0;
      else if (c === '\n') this.line();
      else if (c === '\b') this.x = Math.max(0, this.x - 1);
      else if (c === '\t') this.x = Math.min(this.w - 1, (this.x >> 3) * 8 + 8);
      else if (c >= ' ') {
        const point = String.fromCodePoint(text.codePointAt(i));
        i += point.length - 1;
        this.put(point);
      }
    }
  }
  text() { return this.rows.map(r => r.join('')).join('\n'); }
}
const player = (() => {
  const box = $('player');
  let events = [], size = [80, 24], screen = null, at = 0, timer = 0, button, slider, view, clock;
  const stop = () => { clearTimeout(timer); timer = 0; if (button) button.textContent = 'Play'; box.hidden = true; };
  const seek = to => {
    if (to < at || !screen) { screen = new Screen(size[0], size[1]); at = 0; }
    for (; at < to; ++at) {
      const e = events[at];
      if (e[1] === 'o') screen.feed(e[2]);
      else if (e[1] === 'r') { const m = /^(\d+)x(\d+)$/.exec(e[2]); if (m) screen.resize(Math.max(1, Math.min(+m[1], 500)), Math.max(1, Math.min(+m[2], 300))); }
    }
    view.textContent = screen.text();
    slider.value = at;
    clock.textContent = (at ? events[at - 1][0] : 0).toFixed(1) + ' s of ' + (events.length ? events[events.length - 1][0] : 0).toFixed(1) + ' s';
  };
  const tick = () => {
    if (at >= events.length) { clearTimeout(timer); timer = 0; button.textContent = 'Play'; return; }
    seek(at + 1);
    const wait = at < events.length ? Math.min(1, Math.max(0, events[at][0] - events[at - 1][0])) : 0;
    timer = setTimeout(tick, wait * 1000);
  };
  const toggle = () => {
    if (timer) { clearTimeout(timer); timer = 0; button.textContent = 'Play'; return; }
    if (at >= events.length) seek(0);
    button.textContent = 'Pause';
    tick();
  };
  const openCast = text => {
    events = [];
    const lines = text.split('\n');
    try {
      const head = JSON.parse(lines[0]);
      size = [Math.min(head.width || 80, 500), Math.min(head.height || 24, 300)];
    } catch (e) { return; }
    for (const line of lines.slice(1)) {
      try { const e = JSON.parse(line); if (Array.isArray(e) && typeof e[2] === 'string') events.push(e); } catch (e) { /* the cut in the middle */ }
    }
    box.textContent = '';
    button = el('button', '', 'Play');
    button.type = 'button';
    button.addEventListener('click', toggle);
    slider = el('input');
    slider.type = 'range';
    slider.min = 0;
    slider.max = events.length;
    slider.setAttribute('aria-label', 'Position in the recording');
    slider.addEventListener('input', () => seek(+slider.value));
    clock = el('span', 'note');
    view = el('div', 'screen');
    view.tabIndex = 0;
    view.setAttribute('role', 'img');
    view.setAttribute('aria-label', 'Terminal recording');
    box.append(el('b', '', 'Terminal '), button, ' ', slider, ' ', clock, view);
    box.hidden = false;
    screen = null;
    at = 0;
    seek(events.length);
  };
  return {open: openCast, stop, toggle: () => { if (!box.hidden) toggle(); }};
})();

pick.addEventListener('change', () => { location.hash = '#a=' + pick.value; });
let typing = 0;
find.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(draw, 150); });
find.addEventListener('keydown', e => { if (e.key === 'Enter') { clearTimeout(typing); draw(); move(e.shiftKey ? -1 : 1); } });
$('keys').addEventListener('click', () => { $('help').hidden = !$('help').hidden; $('keys').setAttribute('aria-expanded', String(!$('help').hidden)); });
document.addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const tag = e.target.tagName;
  if (tag === 'INPUT' || tag === 'SELECT' || tag === 'TEXTAREA') { if (e.key === 'Escape') e.target.blur(); return; }
  const jump = by => { const to = current + by; if (to >= 0 && to < index.length) location.hash = '#a=' + to; };
  if (e.key === 'j') move(1);
  else if (e.key === 'k') move(-1);
  else if (e.key === 'n') jump(1);
  else if (e.key === 'p') jump(-1);
  else if (e.key === '/') { e.preventDefault(); find.focus(); find.select(); }
  else if (e.key === 'o' && nodes.has(now)) for (const d of nodes.get(now).querySelectorAll('details')) d.open = !d.open;
  else if (e.key === ' ' && tag !== 'BUTTON' && tag !== 'A' && tag !== 'SUMMARY') { if (!$('player').hidden) { e.preventDefault(); player.toggle(); } }
});
// Arrow keys move through the heat map.
for (const table of document.querySelectorAll('table.heat')) table.addEventListener('keydown', e => {
  const td = e.target.closest('td');
  if (!td || !e.key.startsWith('Arrow')) return;
  const row = td.parentNode, body = row.parentNode;
  let r = row.sectionRowIndex, c = td.cellIndex;
  if (e.key === 'ArrowLeft') --c; else if (e.key === 'ArrowRight') ++c; else if (e.key === 'ArrowUp') --r; else if (e.key === 'ArrowDown') ++r;
  const to = body.rows[r] && body.rows[r].cells[c] && body.rows[r].cells[c].querySelector('a');
  if (to) { e.preventDefault(); to.focus(); }
});
addEventListener('hashchange', fromHash);
// The address of what is open already does not change.
document.addEventListener('click', e => { const a = e.target.closest('a.cell'); if (a && a.hash === location.hash) fromHash(); });
if (!fromHash()) {
  const first = index.findIndex(a => a.here && !(a.score >= 1));
  open(first >= 0 ? first : 0);
}
})();
