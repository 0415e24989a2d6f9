// The report in use: a script types, presses keys, clicks and moves the slider in a copy of the
// page whose policy allows that script by its hash, and tells what it saw.
#include "assay/base/hash.h"
#include "assay/base/text.h"
#include "assay/reports/report.h"
#include "browser.h"
#include "catch.h"
#include "run_fixture.h"

#include <nlohmann/json.hpp>

#include <cstdio>

using namespace assay;
using Json = nlohmann::json;
using Strings = std::vector<std::string>;

namespace {

// `saw` goes into the DOM as base64, or to the page around.
constexpr const char* kBegin = R"((async () => {
const $ = id => document.getElementById(id), all = q => [...document.querySelectorAll(q)];
const pause = ms => new Promise(done => setTimeout(done, ms));
const wait = async (what, ready) => {
  for (let i = 0; i < 200; ++i) { if (ready()) return; await pause(10); }
  throw Error('waited in vain for ' + what);
};
const key = (name, on) => (on || document.body).dispatchEvent(
    new KeyboardEvent('keydown', {key: name, bubbles: true, cancelable: true}));
const heads = () => all('.step h4 b').map(b => b.textContent.slice(0, 14));
const now = () => all('.step.now h4 b').map(b => b.textContent.slice(0, 14)).join();
const opened = number => wait('attempt ' + number,
    () => $('pick').value === number && all('.step').length > 3);
const search = async text => {
  $('find').value = text;
  $('find').dispatchEvent(new Event('input'));
  await wait('the search', () => ($('hits').textContent !== '') === (text !== ''));
};
const background = () => getComputedStyle(document.body).backgroundColor;
const saw = {};
try {
)";
constexpr const char* kEnd = R"(
} catch (e) { saw.error = String(e); }
const text = btoa(unescape(encodeURIComponent(JSON.stringify(saw))));
if (parent !== window) parent.postMessage(text, '*');
const box = document.createElement('pre');
box.id = 'saw';
box.textContent = text;
document.body.append(box);
})();)";

std::string inserted(std::string html, const std::string& script) {
    return replace_all(std::move(html), "</body>", "<script>" + script + "</script></body>");
}

// A copy in which the script runs.
std::string with_driver(const std::string& html, const std::string& steps) {
    std::string script = kBegin + steps + kEnd;
    Digest hash = sha256(script);
    std::string bytes(hash.bytes.begin(), hash.bytes.end());
    std::string source = "script-src 'sha256-" + base64_encode(bytes) + "' ";
    return inserted(replace_all(html, "script-src ", source), script);
}

Json what_it_saw(const std::string& dom) {
    std::smatch match;
    REQUIRE(std::regex_search(dom, match, std::regex("<pre id=\"saw\">([^<]*)</pre>")));
    Json saw = Json::parse(base64_decode(match[1].str()));
    REQUIRE(saw.value("error", "") == "");
    return saw;
}

// One attempt of one agent: a row of the leaderboard.
Path one_row(const Path& folder, const std::string& agent, std::optional<double> score,
             std::uint64_t tokens, double seconds) {
    PlanRecord plan = test::make_plan(1, 1);
    plan.arms[0].agent = agent;
    auto store = RunStore::create(folder / (agent + ".db"), plan, {});
    TryEnd end;
    end.attempt_class = score ? AttemptClass::Scored : AttemptClass::InfrastructureError;
    end.accepted = score.has_value();
    end.score = score;
    end.usage.prompt_tokens = tokens;
    end.wall_seconds = seconds;
    test::write_try(*store, plan.slots[0], end, 1);
    store->finish_run("complete");
    return folder / (agent + ".db");
}

class Page {
  public:
    Page()
        : html_(render_report({test::make_run(folder_.path()),
                               one_row(folder_.path(), "alpha", 0.75, 900, 90),
                               one_row(folder_.path(), "beta", 0.25, 1'200'000, 8),
                               one_row(folder_.path(), "gamma", std::nullopt, 20'000, 0.5)},
                              {})) {}
    const std::string& html() const { return html_; }
    std::string dom(const std::string& page, const Strings& more = {}) {
        Path file = write(page);
        return test::dom_of(file, file.string() + ".profile", "", more);
    }
    Json drive(const std::string& steps, const Strings& more = {}) {
        return what_it_saw(dom(with_driver(html_, steps), more));
    }
    Path write(const std::string& page) {
        Path file = folder_.path() / (std::to_string(++pages_) + ".html");
        RealFileSystem().write(file, page);
        return file;
    }

  private:
    TempFolder folder_;
    std::string html_;
    int pages_ = 0;
};

bool no_browser() {
    if (!test::chromium().empty()) return false;
    std::puts("SKIPPED: driving the report: chromium is not installed");
    return true;
}

} // namespace

TEST_CASE("a script that the policy does not name does not run") {
    Page page;
    CHECK(std::regex_search(page.html(),
                            std::regex("content=\"default-src 'none'; script-src 'sha256-[^ ]*'; "
                                       "style-src 'sha256-[^ ]*'; img-src data:; base-uri 'none'; "
                                       "form-action 'none'\"")));
    if (no_browser()) return;
    std::string attack = "document.title='pwned'";
    CHECK(test::title_of(page.dom(inserted(page.html(), attack))) != "pwned");
    CHECK(test::title_of(page.dom(with_driver(page.html(), attack))) == "pwned");
}

TEST_CASE("a click or Enter on a column head sorts by what its cells mean") {
    if (no_browser()) return;
    Json saw = Page().drive(R"(
const head = name => all('#leaderboard thead th').find(th => th.textContent.startsWith(name));
const rows = () => all('#leaderboard tbody th').map(th => th.firstChild.textContent);
saw.first = rows();
head('Score').click(); saw.down = rows(); saw.mark = head('Score').getAttribute('aria-sort');
head('Score').click(); saw.up = rows();
key('Enter', head('Tokens')); saw.tokens = rows();
head('Trial time').click(); saw.time = rows();
head('Agent').click(); saw.names = rows();
)");
    CHECK(saw["first"] == Strings{"alpha", "tools", "beta", "gamma"});
    CHECK(saw["down"] == Strings{"alpha", "tools", "beta", "gamma"});
    CHECK(saw["mark"] == "descending");
    CHECK(saw["up"] == Strings{"beta", "tools", "alpha", "gamma"}); // no score stays last
    CHECK(saw["tokens"] == Strings{"beta", "gamma", "tools", "alpha"});
    CHECK(saw["time"] == Strings{"alpha", "tools", "beta", "gamma"});
    CHECK(saw["names"] == Strings{"tools", "gamma", "beta", "alpha"});
}

TEST_CASE("the search narrows the steps, and Enter goes through them") {
    if (no_browser()) return;
    Json saw = Page().drive(R"(
all('a.cell[href="#a=0"]')[0].click();
await opened('0');
saw.all = heads();
key('/');
saw.focus = document.activeElement.id;
await search('step 1');
saw.found = heads(); saw.hits = $('hits').textContent;
saw.outline = all('#outline a').length; saw.marks = all('mark').map(m => m.textContent);
await search('"ls <b>"');
await wait('three', () => heads().length === 3);
saw.quoted = heads();
key('Enter', $('find')); saw.enter = now();
key('Enter', $('find')); await pause(400); saw.again = now();
key('j', $('find')); saw.typed = now();
await search('finish');
await wait('none', () => all('#steps .step').length === 0);
saw.none = $('steps').textContent;
await search('');
await wait('all', () => heads().length === saw.all.length);
saw.kept = now();
key('Escape', $('find')); saw.left = document.activeElement.tagName;
)");
    REQUIRE(saw["all"].size() > 10);
    CHECK(saw["focus"] == "find");
    CHECK(saw["found"] == Strings{"turn 2: Step 1"});
    CHECK(saw["hits"] == "1 steps");
    CHECK(saw["outline"] == 1);
    CHECK(saw["marks"] == Strings{"Step 1"});
    CHECK(saw["quoted"] == Strings{"turn 1: Step 0", "turn 2: Step 1", "turn 3: Step 2"});
    CHECK(saw["enter"] == "turn 1: Step 0");
    CHECK(saw["again"] == "turn 2: Step 1");
    CHECK(saw["typed"] == "turn 2: Step 1"); // a letter in the field is no command
    CHECK(saw["none"] == "No step matches.");
    CHECK(saw["kept"] == "turn 2: Step 1");
    CHECK(saw["left"] == "BODY");
}

TEST_CASE("the keys move through cells, attempts and steps") {
    if (no_browser()) return;
    Json saw = Page().drive(R"(
const cells = number => all('a.cell[href="#a=' + number + '"]')[0];
const arrow = name => { key(name, document.activeElement); return document.activeElement.hash; };
cells(1).focus();
saw.arrows = ['ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp'].map(arrow);
cells(0).click();
await opened('0');
saw.facts = $('facts').textContent; saw.here = all('.cell.here').map(a => a.hash);
saw.heads = heads();
key('j'); saw.j1 = now();
key('j'); saw.j2 = now(); saw.outline = all('#outline a.now').length;
key('k'); saw.k = now();
key('j');
const open = () => all('.step.now details').map(d => d.open);
saw.o = [open()[0]]; key('o'); saw.o.push(open()[0]); key('o'); saw.o.push(open()[0]);
saw.calls = all('.step.k-tool_call').map(step => step.textContent)[0];
const calls = all('#kinds button').find(b => b.textContent === 'Tool calls');
calls.click(); saw.hidden = all('.step.k-tool_call').length;
calls.click(); saw.back = all('.step.k-tool_call').length;
$('keys').click(); saw.help = !$('help').hidden && $('help').textContent.includes('next, previous step');
key('n'); await opened('1'); saw.n = location.hash;
key('p'); await opened('0'); saw.p = location.hash;
all('#outline a').find(a => a.textContent === 'call shell').click();
await wait('the link', () => now() === 'call shell'); saw.link = location.hash.startsWith('#a=0&s=');
)");
    CHECK(saw["arrows"] == Strings{"#a=5", "#a=6", "#a=2", "#a=1"});
    CHECK(saw["facts"].get<std::string>().find("Classscored") != std::string::npos);
    CHECK(saw["here"] == Strings{"#a=0"});
    // The instruction is there once, under its words.
    Strings heads = saw["heads"];
    CHECK(heads.at(0) == "user: Do it. <");
    CHECK(heads.at(1) == "turn 1: Step 0");
    CHECK(saw["j1"] == heads[0]);
    CHECK(saw["j2"] == heads[1]);
    CHECK(saw["outline"] == 1);
    CHECK(saw["k"] == heads[0]);
    CHECK(saw["o"] == Json{false, true, false});
    CHECK(saw["calls"].get<std::string>().find("\"command\": \"ls\"") != std::string::npos);
    CHECK(saw["hidden"] == 0);
    CHECK(saw["back"] == 4);
    CHECK(saw["help"] == true);
    CHECK(saw["n"] == "#a=1");
    CHECK(saw["p"] == "#a=0");
    CHECK(saw["link"] == true);
}

TEST_CASE("the player shows the screen of the time that its slider names") {
    if (no_browser()) return;
    Json saw = Page().drive(R"(
all('a.cell[href="#a=0"]')[0].click();
await opened('0');
await wait('the player', () => !$('player').hidden);
const slider = $('player').querySelector('input'), button = $('player').querySelector('button');
const screen = () => $('player').querySelector('.screen').textContent.trimEnd();
const at = place => {
  slider.value = place;
  slider.dispatchEvent(new Event('input'));
  return [screen(), $('player').querySelector('.note').textContent];
};
saw.end = screen(); saw.places = slider.max;
saw.one = at(1); saw.two = at(2); saw.four = at(4); saw.again = at(1);
key(' '); saw.playing = button.textContent;
await wait('the end', () => button.textContent === 'Play');
saw.played = screen();
)");
    std::string wide = "hello </script> and more than 20", cut = wide.substr(0, 20);
    CHECK(saw["places"] == "4");
    CHECK(saw["one"] == Strings{wide, "0.1 s of 1.5 s"});
    CHECK(saw["two"] == Strings{wide + "\nworld", "0.5 s of 1.5 s"});
    CHECK(saw["four"] == Strings{cut + "\nworld\nlast", "1.5 s of 1.5 s"}); // the window shrank
    CHECK(saw["again"] == saw["one"]);
    CHECK(saw["end"] == saw["four"][0]);
    CHECK(saw["playing"] == "Pause");
    CHECK(saw["played"] == saw["end"]);
}

TEST_CASE("light and dark differ: the system's, and the reader's own choice") {
    if (no_browser()) return;
    Page page;
    const char* steps = R"(
const colours = () => background() + ' ' + getComputedStyle(document.body).color;
saw.first = colours();
$('theme').click(); saw.other = colours();
$('theme').click(); saw.back = colours();
)";
    Json dark = page.drive(steps, {"--blink-settings=preferredColorScheme=0"});
    Json light = page.drive(steps, {"--blink-settings=preferredColorScheme=1"});
    CHECK(light["first"] == "rgb(251, 251, 250) rgb(28, 31, 35)");
    CHECK(dark["first"] == "rgb(20, 23, 27) rgb(230, 233, 237)");
    CHECK(light["other"] == dark["first"]);
    CHECK(dark["other"] == light["first"]);
    CHECK(light["back"] == light["first"]);
    CHECK(dark["back"] == dark["first"]);
}

TEST_CASE("nothing sticks out on a telephone") {
    if (no_browser()) return;
    Page page;
    // The browser's own windows are wider than that.
    Path inner = page.write(with_driver(page.html(), R"(
await opened('0');
$('keys').click();
saw.inner = innerWidth; saw.scroll = document.scrollingElement.scrollWidth;
saw.columns = getComputedStyle(all('.split')[0]).gridTemplateColumns.split(' ').length;
$('help').style.minWidth = '500px'; // the mistake that this would find
saw.planted = document.scrollingElement.scrollWidth;
)"));
    Json saw = what_it_saw(page.dom(
        "<!doctype html><body><pre id=\"saw\"></pre><script>addEventListener('message', e => "
        "{ document.getElementById('saw').textContent = e.data; })</script><iframe width=\"390\" "
        "height=\"800\" src=\"file://" +
        inner.string() + "#a=0\"></iframe></body>"));
    CHECK(saw["inner"] == 390);
    CHECK(saw["scroll"] <= 390);
    CHECK(saw["columns"] == 1);
    CHECK(saw["planted"] > 390);
}
