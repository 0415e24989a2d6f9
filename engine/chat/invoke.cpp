#include "chat/invoke.h"

#include "assay/base/text.h"
#include "chat/markers.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace assay::engine {

namespace {

constexpr int kDeepest = 128;
constexpr std::size_t kLongestName = 256;

using Schema = ToolSchemas::Schema;

struct Tag {
    bool closing = false;
    std::string name;
    std::size_t start = 0, end = 0; // of NS<...> in the text
};

// A value as JSON; of an array also its items, since repeated tags are joined.
struct Written {
    std::string json;
    std::vector<std::string> items;
    bool array = false;
};

struct Child {
    std::string name;
    Written value;
};

Written as_array(std::vector<std::string> items) {
    std::string json = fmt::format("[{}]", fmt::join(items, ", "));
    return {std::move(json), std::move(items), true};
}

class Reader {
  public:
    Reader(std::string_view text, const ToolSchemas& schemas)
        : text_(text)
        , schemas_(schemas) {}

    // The parameters from `at` on; nothing if they are malformed.
    std::optional<std::string> parameters(std::size_t at, Schema schema) {
        at_ = at;
        read_tag();
        std::vector<Child> children;
        while (tag_) {
            std::string_view before = text_.substr(at_, tag_->start - at_);
            if (!tag_->closing) {
                children.push_back(element(schema, 0));
            } else if (!trim(before).empty()) { // its opening tag is missing
                children.push_back(
                    {tag_->name, typed(before, schemas_.property(schema, tag_->name))});
                step();
            } else {
                malformed_ = true;
            }
            if (malformed_) return std::nullopt;
        }
        return object(children, schema, {});
    }

  private:
    void step() {
        at_ = tag_->end;
        read_tag();
    }

    // The next tag from at_ on, without moving.
    void read_tag() {
        tag_.reset();
        for (std::size_t at = at_; (at = text_.find(']', at)) != text_.npos; ++at) {
            auto found = markers::match_tag(text_, at, "<");
            if (!found.yes()) continue;
            Tag tag{false, {}, at, 0};
            std::size_t name = found.end;
            if (name < text_.size() && text_[name] == '/') {
                tag.closing = true;
                ++name;
            }
            std::size_t length = text_.substr(name, kLongestName + 1).find('>');
            if (length == text_.npos || length == 0) continue;
            tag.name = text_.substr(name, length);
            tag.end = name + length + 1;
            tag_ = std::move(tag);
            return;
        }
    }

    Written typed(std::string_view text, Schema schema) const {
        return {schemas_.typed(text, schema), {}, false};
    }

    // The element that tag_ opens; `parent` is the schema of what holds it.
    Child element(Schema parent, int depth) {
        Child made{tag_->name, {}};
        bool in_array = schemas_.holds(parent, "array");
        Schema schema = in_array ? schemas_.items(parent) : schemas_.property(parent, made.name);
        if (depth >= kDeepest) {
            malformed_ = true;
            return made;
        }
        open_.push_back(made.name);
        step();
        made.value = body(schema, in_array ? nullptr : parent, depth);
        open_.pop_back();
        return made;
    }

    Written body(Schema schema, Schema parent, int depth) {
        std::string text;
        std::vector<Child> children;
        bool closed = false;
        while (!closed && !malformed_) {
            std::size_t stop = tag_ ? tag_->start : text_.size();
            text += text_.substr(at_, stop - at_);
            at_ = stop;
            if (!tag_) break; // cut off by the end of the invoke
            if (!tag_->closing) {
                if (ends_before(tag_->name, schema, parent)) break;
                children.push_back(element(schema, depth + 1));
            } else if (tag_->name == open_.back()) {
                step();
                closed = true;
            } else if (std::count(open_.begin(), open_.end(), tag_->name)) {
                break; // it closes something further out
            } else {
                malformed_ = true;
            }
        }
        return children.empty() ? leaf(text, schema) : container(children, schema, text);
    }

    // Was a closing tag forgotten before this one opens?
    bool ends_before(const std::string& name, Schema schema, Schema parent) const {
        bool can_hold = !schemas_.known(schema) || schemas_.holds(schema, "object") ||
                        schemas_.holds(schema, "array");
        return !can_hold && schemas_.names(parent, name);
    }

    Written leaf(const std::string& text, Schema schema) const {
        bool array = schemas_.holds(schema, "array"), object = schemas_.holds(schema, "object");
        if ((array || object) && !schemas_.holds(schema, "string") && trim(text).empty())
            return array ? as_array({}) : Written{"{}", {}, false};
        bool one_item = array && !trim(text).starts_with('['); // of a list of repeated tags
        return typed(text, one_item ? schemas_.items(schema) : schema);
    }

    Written container(std::vector<Child>& children, Schema schema, const std::string& text) const {
        bool items = std::all_of(children.begin(), children.end(),
                                 [](const Child& child) { return child.name == "item"; });
        bool array = schemas_.holds(schema, "array");
        if (!array && (schemas_.holds(schema, "object") || !items))
            return {object(children, schema, text), {}, false};
        std::vector<std::string> values;
        for (Child& child : children) values.push_back(std::move(child.value.json));
        return as_array(std::move(values));
    }

    // Repeated names become a list, at the place of the first.
    std::string object(std::vector<Child>& children, Schema schema, const std::string& text) const {
        std::vector<std::pair<std::string, std::vector<Written*>>> groups;
        std::unordered_map<std::string_view, std::size_t> places;
        for (Child& child : children) {
            auto [place, added] = places.emplace(child.name, groups.size());
            if (added) groups.push_back({child.name, {}});
            groups[place->second].second.push_back(&child.value);
        }
        std::vector<std::string> members;
        for (auto& [name, values] : groups)
            members.push_back(json_quote(name) + ": " +
                              joined(values, schemas_.property(schema, name)));
        if (!trim(text).empty()) members.push_back("\"$text\": " + json_quote(trim(text)));
        return fmt::format("{{{}}}", fmt::join(members, ", "));
    }

    std::string joined(const std::vector<Written*>& values, Schema schema) const {
        if (values.size() == 1) return values[0]->json;
        std::vector<std::string> items;
        for (const Written* value : values) {
            if (value->array && schemas_.holds(schema, "array"))
                items.insert(items.end(), value->items.begin(), value->items.end());
            else
                items.push_back(value->json);
        }
        return as_array(std::move(items)).json;
    }

    std::string_view text_;
    const ToolSchemas& schemas_;
    std::size_t at_ = 0;
    std::optional<Tag> tag_; // the next one from at_ on
    std::vector<std::string> open_;
    bool malformed_ = false;
};

// name="NAME">, behind "<invoke": NAME, and `at` behind the ">".
std::optional<std::string> read_name(std::string_view text, std::size_t& at) {
    at = markers::skip_space(text, at);
    if (!text.substr(at).starts_with("name")) return std::nullopt;
    at = markers::skip_space(text, at + 4);
    if (at >= text.size() || text[at] != '=') return std::nullopt;
    at = markers::skip_space(text, at + 1);
    char quote = at < text.size() && (text[at] == '"' || text[at] == '\'') ? text[at] : 0;
    std::size_t start = at + (quote ? 1 : 0);
    std::size_t end = quote ? text.find(quote, start) : text.find_first_of("> \t\r\n", start);
    if (end == text.npos || end == start || end - start > kLongestName) return std::nullopt;
    at = markers::skip_space(text, end + (quote ? 1 : 0));
    if (at >= text.size() || text[at] != '>') return std::nullopt;
    ++at;
    return std::string(text.substr(start, end - start));
}

} // namespace

std::optional<ParsedCall> parse_invoke(std::string_view text, const ToolSchemas& schemas) {
    std::size_t at = 0;
    auto name = read_name(text, at);
    if (!name) return std::nullopt;
    auto arguments = Reader(text, schemas).parameters(at, schemas.arguments_of(*name));
    if (!arguments) return std::nullopt;
    return ParsedCall{*name, *arguments};
}

} // namespace assay::engine
