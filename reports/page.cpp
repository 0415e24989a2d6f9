// The page itself: sections as HTML made here, so that it can be read without the script; the
// script adds sorting, filtering and the trajectory browser.
#include "assay/base/json.h"
#include "assay/base/text.h"
#include "assay/reports/report.h"
#include "assets.h"
#include "html_text.h"
#include "run_data.h"
#include "trajectory.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

namespace assay {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::array<const char*, kClasses> kGlyphs = {"&#9679;", "&#10005;", "&#9719;",
                                                       "&#9888;", "&#63;",    "&#9632;"};

std::string dash_or(std::optional<double> value, double factor, int digits) {
    return value ? fmt::format("{:.{}f}", *value * factor, digits) : std::string("&ndash;");
}

std::string count_text(double n) {
    if (n >= 1e9) return fmt::format("{:.1f} G", n / 1e9);
    if (n >= 1e6) return fmt::format("{:.1f} M", n / 1e6);
    if (n >= 1e4) return fmt::format("{:.1f} k", n / 1e3);
    return fmt::format("{:.0f}", n);
}

// A score with its two intervals (95 %, normal) on one line from 0 to 1; the text beside it says
// the same.
std::string interval_svg(const ArmSummary& arm) {
    if (!arm.score) return "";
    auto x = [](double v) { return 4 + 192 * std::clamp(v, 0.0, 1.0); };
    std::string out = "<svg class=\"iv\" viewBox=\"0 0 200 22\" role=\"img\"><title>";
    out += fmt::format("score {:.3f}", *arm.score);
    if (arm.se_conditional)
        out +=
            fmt::format(", tasks fixed {:.3f} to {:.3f}", *arm.score - 1.96 * *arm.se_conditional,
                        *arm.score + 1.96 * *arm.se_conditional);
    if (arm.se_generalising)
        out += fmt::format(", tasks sampled {:.3f} to {:.3f}",
                           *arm.score - 1.96 * *arm.se_generalising,
                           *arm.score + 1.96 * *arm.se_generalising);
    out += "</title><line class=\"axis\" x1=\"4\" x2=\"196\" y1=\"11\" y2=\"11\"/>";
    for (double tick : {0.0, 0.25, 0.5, 0.75, 1.0})
        out += fmt::format(
            "<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"8\" y2=\"14\"/>", x(tick));
    auto band = [&](double se, const char* style) {
        out += fmt::format("<line class=\"{}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"11\" y2=\"11\"/>",
                           style, x(*arm.score - 1.96 * se), x(*arm.score + 1.96 * se));
    };
    if (arm.se_generalising) band(*arm.se_generalising, "wide");
    if (arm.se_conditional) band(*arm.se_conditional, "narrow");
    out +=
        fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"11\" r=\"4\"/></svg>", x(*arm.score));
    return out;
}

std::string class_cells(const ArmSummary& arm) {
    std::string out;
    for (std::size_t c = 0; c < kClasses; ++c)
        out += fmt::format("<td class=\"n{}\">{}</td>", arm.classes[c] == 0 ? " zero" : "",
                           arm.classes[c]);
    return out;
}

std::string official_cell(const RunData& run, const ArmSummary& arm) {
    if (!arm.score) return "<td>&ndash;</td>";
    if (arm.deviations.empty()) return run.official ? "<td>official</td>" : "<td>&ndash;</td>";
    std::string list;
    for (const std::string& text : arm.deviations) list += "<li>" + html_escape(text) + "</li>";
    return fmt::format("<td><details><summary>{} deviation{}</summary><ul>{}</ul></details></td>",
                       arm.deviations.size(), arm.deviations.size() == 1 ? "" : "s", list);
}

// The model's part of the label "agent@model": short where the model is a file.
std::string model_name(const ArmRecord& arm) {
    return arm.label.starts_with(arm.agent + "@") ? arm.label.substr(arm.agent.size() + 1)
                                                  : arm.model;
}

// By suite, best first; what has no score comes last.
std::vector<std::pair<const RunData*, const ArmSummary*>> ranked(const std::vector<RunData>& runs) {
    std::vector<std::pair<const RunData*, const ArmSummary*>> out;
    for (const RunData& run : runs)
        for (const ArmSummary& arm : run.arms) out.emplace_back(&run, &arm);
    std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
        if (a.first->plan.suite != b.first->plan.suite)
            return a.first->plan.suite < b.first->plan.suite;
        return a.second->score.value_or(-1) > b.second->score.value_or(-1);
    });
    return out;
}

std::string leaderboard_row(const RunData& run, const ArmSummary& arm, bool name_file) {
    const ArmRecord& record = run.plan.arms[arm.arm];
    std::string others;
    if (arm.pass_at_k)
        others += fmt::format("<div>pass@{0} {1:.3f}</div><div>pass^{0} {2:.3f}</div>", arm.k,
                              *arm.pass_at_k, arm.pass_hat_k.value_or(0));
    for (const auto& [name, value] : arm.others)
        others += fmt::format("<div>{} {:.3f}</div>", html_escape(name), value);
    return fmt::format(
        "<tr><td>{}{}</td><th scope=\"row\">{}<small>{}</small></th><td class=\"n score\">{}</td>"
        "<td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td>"
        "<td class=\"n\" data-v=\"{}\">{} &times; {}</td>{}<td class=\"n\">{}</td>"
        "<td class=\"small\">{}</td><td class=\"n\" data-v=\"{}\">{} / {}</td>"
        "<td class=\"n\">{}</td><td class=\"n\" data-v=\"{}\">{}</td>{}</tr>\n",
        html_escape(run.plan.suite),
        name_file ? "<small>" + html_escape(Path(run.file).filename().string()) + "</small>" : "",
        html_escape(record.agent),
        html_escape(record.model.empty() ? "no model" : model_name(record)),
        dash_or(arm.score, 100, 1), dash_or(arm.se_conditional, 100, 1),
        dash_or(arm.se_generalising, 100, 1), interval_svg(arm),
        dash_or(arm.score_errors_0, 100, 1), arm.tasks, arm.tasks, arm.k, class_cells(arm),
        arm.pending, others.empty() ? "&ndash;" : others, arm.usage.prompt_tokens,
        count_text(static_cast<double>(arm.usage.prompt_tokens)),
        count_text(static_cast<double>(arm.usage.completion_tokens)),
        arm.usage.cost ? fmt::format("${:.2f}", *arm.usage.cost) : "&ndash;", arm.wall_seconds,
        html_escape(format_seconds(arm.wall_seconds)), official_cell(run, arm));
}

std::string leaderboard(const std::vector<RunData>& runs) {
    std::string out =
        "<section id=\"leaderboard\"><h2>Leaderboard</h2><div class=\"scroll\" tabindex=\"0\" "
        "role=\"region\" aria-label=\"Leaderboard\"><table class=\"sortable\"><thead><tr>"
        "<th>Suite</th><th>Agent, model</th><th>Score %</th>"
        "<th title=\"standard error with the tasks held fixed\">&plusmn; tasks fixed</th>"
        "<th title=\"standard error with tasks as a sample, clustered by family\">&plusmn; tasks "
        "sampled</th><th class=\"nosort\">95 % intervals</th>"
        "<th title=\"errors of harness and verifier counted as 0, as official harnesses "
        "do\">errors "
        "as 0</th><th>Tasks</th>";
    for (std::size_t c = 0; c < kClasses; ++c)
        out +=
            fmt::format("<th title=\"{2}\"><span class=\"g c{0}\" aria-hidden=\"true\">{1}</span>"
                        "<span class=\"unseen\">{2}</span></th>",
                        c, kGlyphs[c], class_label(static_cast<AttemptClass>(c)));
    out += "<th>pending</th><th>Other metrics</th><th>Tokens in / out</th><th>Cost</th><th>Trial "
           "time</th><th>Procedure</th></tr></thead><tbody>\n";
    for (const auto& [run, arm] : ranked(runs)) out += leaderboard_row(*run, *arm, runs.size() > 1);
    std::string legend;
    for (std::size_t c = 0; c < kClasses; ++c)
        legend += fmt::format("{}<span class=\"g c{}\">{}</span> {}", c == 0 ? "" : ", ", c,
                              kGlyphs[c], class_label(static_cast<AttemptClass>(c)));
    out +=
        "</tbody></table></div><p class=\"note\">Attempts by how they ended: " + legend + ".</p>";
    out +=
        "<p class=\"note\">Score: mean over tasks of each task's mean. "
        "Errors of sandbox, harness or verifier are left out of it and counted apart; the column "
        "&ldquo;errors as 0&rdquo; counts them as official harnesses do. Intervals: thick, tasks "
        "fixed; thin, tasks sampled.</p>";
    for (const RunData& run : runs)
        for (const std::string& task : run.broken_tasks)
            out += "<p class=\"note\">Broken task: " + html_escape(task) +
                   ": its own solution scored 0.</p>";
    out += "</section>\n";
    return out;
}

std::string cell(const AttemptData& attempt, std::size_t id) {
    if (attempt.pending)
        return "<td><span class=\"cell none\" title=\"not finished\">&middot;</span></td>";
    const TryEnd& end = attempt.row.end;
    std::size_t c = static_cast<std::size_t>(end.attempt_class);
    double value = end.score.value_or(0);
    std::string label = attempt.counts ? fmt::format("{:.3g}", value) : std::string(kGlyphs[c]);
    // Ten steps of one ramp; the number is in the cell, so colour is never alone.
    int step = static_cast<int>(std::lround(std::clamp(value, 0.0, 1.0) * 10));
    std::string style = attempt.counts ? fmt::format("h{}", step) : "err";
    return fmt::format(
        "<td><a class=\"cell {}\" href=\"#a={}\" title=\"{} #{}: {}{}\">{}{}</a></td>", style, id,
        html_escape(attempt.row.task), attempt.row.attempt, class_label(end.attempt_class),
        attempt.tries.size() > 1 ? fmt::format(", {} tries", attempt.tries.size()) : "", label,
        c == 0 || !attempt.counts ? "" : fmt::format(" {}", kGlyphs[c]));
}

// One suite's map: a row a task, the arms of all runs side by side.
class HeatMap {
  public:
    void add(const RunData& run, std::size_t first_id) {
        const std::size_t base = labels_.size();
        for (const ArmRecord& arm : run.plan.arms) labels_.push_back(arm.label);
        widths_.resize(labels_.size(), 1);
        for (std::size_t i = 0; i < run.plan.slots.size(); ++i) {
            const SlotRecord& slot = run.plan.slots[i];
            std::size_t arm = base;
            while (run.plan.arms[arm - base].id != slot.arm) ++arm;
            rows_[slot.task][{arm, slot.attempt}] = cell(run.attempts[i], first_id + i);
            widths_[arm] = std::max(widths_[arm], slot.attempt);
        }
        refused_.insert(refused_.end(), run.plan.refused.begin(), run.plan.refused.end());
    }

    std::string html(const std::string& suite) const {
        std::string name = html_escape(suite);
        std::string out = fmt::format(
            "<h3>{0}</h3><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Tasks "
            "of {0}\"><table class=\"heat\"><thead><tr><th>Task</th>",
            name);
        for (std::size_t arm = 0; arm < labels_.size(); ++arm)
            out +=
                fmt::format("<th colspan=\"{}\">{}</th>", widths_[arm], html_escape(labels_[arm]));
        out += "</tr></thead><tbody>\n";
        for (const auto& [task, cells] : rows_) {
            out += "<tr><th scope=\"row\">" + html_escape(task) + "</th>";
            for (std::size_t arm = 0; arm < labels_.size(); ++arm)
                for (int k = 1; k <= widths_[arm]; ++k) {
                    auto found = cells.find({arm, k});
                    out += found == cells.end() ? "<td></td>" : found->second;
                }
            out += "</tr>\n";
        }
        return out + "</tbody></table></div>\n" + refused();
    }

  private:
    std::string refused() const {
        if (refused_.empty()) return "";
        std::string out =
            fmt::format("<details><summary>Tasks of the source that were not run: {}</summary><ul>",
                        refused_.size());
        for (const auto& [task, why] : refused_)
            out += "<li><b>" + html_escape(task) + "</b>: " + html_escape(why) + "</li>";
        return out + "</ul></details>\n";
    }

    std::vector<std::string> labels_; // of the arms, run after run
    std::vector<int> widths_;         // attempts of each
    std::map<std::string, std::map<std::pair<std::size_t, int>, std::string>> rows_;
    std::vector<std::pair<std::string, std::string>> refused_;
};

std::string heat_map(const std::vector<RunData>& runs) {
    std::map<std::string, HeatMap> suites;
    std::size_t first = 0;
    for (const RunData& run : runs) {
        suites[run.plan.suite].add(run, first);
        first += run.plan.slots.size();
    }
    std::string out = "<section id=\"tasks\"><h2>Tasks</h2>\n";
    for (const auto& [suite, map] : suites) out += map.html(suite);
    return out + "</section>\n";
}

std::string provenance_value(const Json& value) {
    return html_escape(value.is_string() ? value.get<std::string>() : value.dump());
}

std::string provenance_table(const Json& object) {
    std::string out = "<table class=\"facts\"><tbody>";
    for (const auto& [key, value] : object.items())
        out += "<tr><th scope=\"row\">" + html_escape(key) + "</th><td>" + provenance_value(value) +
               "</td></tr>";
    return out + "</tbody></table>";
}

std::string provenance(const std::vector<RunData>& runs) {
    std::string out = "<section id=\"provenance\"><h2>Provenance</h2>\n";
    for (const RunData& run : runs) {
        Json facts = {{"file", run.file},
                      {"run", run.plan.run.hex()},
                      {"plan", run.plan.digest().hex()},
                      {"suite", run.plan.suite + " " + run.plan.suite_version},
                      {"tasks from", run.plan.source},
                      {"seed", run.plan.seed},
                      {"started", iso8601(run.summary.created)},
                      {"ended", run.summary.ended != 0 ? iso8601(run.summary.ended) : "-"},
                      {"status", run.summary.status}};
        if (std::vector<std::string> lines = connection_lines(run.reader->connection_changes());
            !lines.empty())
            facts["model connections"] = fmt::format("{}", fmt::join(lines, "; "));
        for (const AuditRecord& record : run.reader->audit())
            facts["changed " + iso8601(record.time)] =
                record.who + ": " + record.what + ": " + record.why;
        Json settings = parse_json<Json>(run.plan.settings);
        if (settings.is_object())
            for (const auto& [key, value] : settings.items()) facts["setting " + key] = value;
        out += "<h3>" + html_escape(run.plan.suite) + "</h3>" + provenance_table(facts);
        for (const std::string& text : run.environments) {
            Json json = parse_json<Json>(text);
            if (!json.is_object()) continue;
            out += "<details><summary>Machine and build of one start</summary>" +
                   provenance_table(json) + "</details>\n";
        }
    }
    return out + "</section>\n";
}

// What the script needs to know of each attempt.
Json attempt_index(const RunData& run, std::size_t i) {
    const SlotRecord& slot = run.plan.slots[i];
    const AttemptData& attempt = run.attempts[i];
    Json out = {{"task", slot.task}, {"k", slot.attempt}, {"suite", run.plan.suite}};
    for (const ArmRecord& arm : run.plan.arms)
        if (arm.id == slot.arm) out["arm"] = arm.label;
    if (attempt.pending) return out;
    const TryEnd& end = attempt.row.end;
    out["class"] = class_label(end.attempt_class);
    if (end.score) out["score"] = *end.score;
    out["agent"] = std::string(to_string(end.agent)) +
                   (end.agent_detail.empty() ? "" : ": " + visible_controls(end.agent_detail));
    out["verify"] = to_string(end.verify);
    out["wall"] = end.wall_seconds;
    out["queue"] = end.queue_seconds;
    out["model"] = end.model_seconds;
    out["sandbox"] = end.sandbox_seconds;
    out["turns"] = end.turns;
    out["in"] = end.usage.prompt_tokens;
    out["out"] = end.usage.completion_tokens;
    if (end.usage.cost) out["cost"] = *end.usage.cost;
    if (end.error)
        out["error"] =
            visible_controls(end.error->kind + ": " + end.error->message + "\n" + end.error->trace);
    if (end.resources.memory_peak_bytes >= 0) out["memory"] = end.resources.memory_peak_bytes;
    if (end.resources.cpu_seconds >= 0) out["cpu"] = end.resources.cpu_seconds;
    if (end.resources.oom_kills > 0) out["oom"] = end.resources.oom_kills;
    out["tries"] = attempt.tries.size();
    for (const ScoreRecord& score : attempt.scores) {
        Json row = {{"metric", score.metric}, {"value", score.value}, {"primary", score.primary}};
        if (score.explanation)
            row["why"] = visible_controls(plain_output(run.reader->blob(*score.explanation)));
        out["scores"].push_back(std::move(row));
    }
    for (const PhaseRecord& phase : run.reader->phases(attempt.row.row))
        out["phases"].push_back({{"name", phase.name},
                                 {"seconds", phase.seconds},
                                 {"queue", phase.queue_seconds},
                                 {"end", phase.end}});
    return out;
}

struct Embedded {
    std::string scripts;
    Json index = Json::array();
    std::size_t left_out = 0;
};

// Trajectories within the budget: those that did not score full marks first.
Embedded embed(const std::vector<RunData>& runs, std::uint64_t budget) {
    struct Candidate {
        const RunData* run;
        std::size_t slot, id;
        bool interesting;
    };
    Embedded out;
    std::vector<Candidate> order;
    for (const RunData& run : runs) {
        for (std::size_t i = 0; i < run.attempts.size(); ++i) {
            out.index.push_back(attempt_index(run, i));
            const AttemptData& attempt = run.attempts[i];
            if (attempt.pending) continue;
            bool interesting = !attempt.counts || attempt.row.end.score.value_or(0) < 1;
            order.push_back({&run, i, out.index.size() - 1, interesting});
        }
    }
    std::stable_partition(order.begin(), order.end(),
                          [](const Candidate& c) { return c.interesting; });
    std::uint64_t used = 0;
    for (const Candidate& candidate : order) {
        std::string packed = deflate_base64(trajectory_json(
            *candidate.run->reader, candidate.run->attempts[candidate.slot].row, {}));
        if (used + packed.size() > budget) {
            ++out.left_out;
            continue;
        }
        used += packed.size();
        out.index[candidate.id]["here"] = true;
        out.scripts +=
            fmt::format("<script type=\"application/octet-stream\" id=\"t{}\">{}</script>\n",
                        candidate.id, packed);
    }
    return out;
}

std::string headline(const std::vector<RunData>& runs) {
    std::size_t attempts = 0, done = 0, errors = 0, retries = 0;
    for (const RunData& run : runs)
        for (const ArmSummary& arm : run.arms) {
            attempts += arm.attempts;
            done += arm.attempts - arm.pending;
            retries += arm.retries;
            errors += arm.classes[static_cast<std::size_t>(AttemptClass::InfrastructureError)] +
                      arm.classes[static_cast<std::size_t>(AttemptClass::VerifierError)];
        }
    return fmt::format("<p class=\"lead\"><span class=\"badge {}\">{}</span> {} of {} attempts "
                       "finished, {} without a usable score, {} retries.</p>",
                       errors == 0 && done == attempts ? "ok" : "warn",
                       done < attempts ? "&#9719; unfinished"
                       : errors == 0   ? "&#10003; complete"
                                       : "&#9888; complete with errors",
                       done, attempts, errors, retries);
}

std::string title_of(const std::vector<RunData>& runs, const ReportOptions& options) {
    if (!options.title.empty()) return options.title;
    std::set<std::string> suites;
    for (const RunData& run : runs) suites.insert(run.plan.suite);
    std::string out;
    for (const std::string& suite : suites) out += (out.empty() ? "" : ", ") + suite;
    return out;
}

constexpr const char* kBrowser = R"(<section id="browser"><h2>Trajectories</h2>
<noscript><p>The trajectory browser needs JavaScript; the tables above do not.</p></noscript>
<div class="bar"><label>Attempt <select id="pick"></select></label>
<label>Search <input id="find" type="search" autocomplete="off" placeholder="text, press /"></label>
<span id="hits" role="status"></span><span id="kinds" role="group" aria-label="Kinds shown"></span>
<button type="button" id="keys" aria-expanded="false">Keys</button></div>
<div id="help" hidden>j / k: next, previous step &middot; n / p: next, previous attempt &middot; / search,
Enter next hit &middot; o: open or close a step &middot; Space: play or pause a recording</div>
<div id="facts"></div><div id="player" hidden></div>
<div class="split"><nav id="outline" aria-label="Outline"></nav>
<div id="steps" tabindex="-1" aria-live="off"></div></div></section>
)";

} // namespace

std::string render_report(const std::vector<Path>& files, const ReportOptions& options) {
    std::vector<RunData> runs;
    for (const Path& file : files) runs.push_back(load_run(file));
    Embedded data = embed(runs, options.trajectory_budget);
    std::string title = html_escape(title_of(runs, options));
    std::string out = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                      "<meta name=\"generator\" content=\"Assay\">\n";
    out += fmt::format(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; "
        "style-src {}; img-src data:; base-uri 'none'; form-action 'none'\">\n",
        csp_hash(k_report_js), csp_hash(k_report_css));
    out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    out += "<meta name=\"referrer\" content=\"no-referrer\">\n<title>" + title +
           " &middot; Assay report</title>\n";
    out += fmt::format("<style>{}</style></head><body>\n", k_report_css);
    out += "<a class=\"skip\" href=\"#leaderboard\">Skip to the leaderboard</a>\n<header><h1>" +
           title +
           "</h1><nav aria-label=\"Sections\"><a href=\"#leaderboard\">Leaderboard</a><a "
           "href=\"#tasks\">Tasks</a><a href=\"#browser\">Trajectories</a><a "
           "href=\"#provenance\">Provenance</a><button type=\"button\" id=\"theme\">Light or "
           "dark</button></nav></header>\n<main>\n";
    out += headline(runs) + leaderboard(runs) + heat_map(runs) + kBrowser;
    if (data.left_out > 0)
        out +=
            fmt::format("<p class=\"note\">{} trajectories were left out to keep the file small; "
                        "<code>assay show</code> prints them.</p>",
                        data.left_out);
    out += provenance(runs);
    out += "</main>\n<script type=\"application/json\" id=\"index\">" +
           script_json(data.index.dump(-1, ' ', false, Json::error_handler_t::replace)) +
           "</script>\n" + data.scripts;
    out += fmt::format("<script>{}</script>\n</body></html>\n", k_report_js);
    return out;
}

} // namespace assay
