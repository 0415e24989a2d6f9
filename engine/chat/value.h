// Values of a template while it runs, with Python's semantics. A Value is small and copied freely;
// what it points to belongs to the Heap of one render, which frees everything at its end and bounds
// how much can be made at all. A sandboxed template cannot change a list or a dict, so values have
// no cycles but through a namespace.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace assay::engine::jinja {

class Object;
struct List;
struct Dict;

// Ends the render with a message; the interpreter adds the line.
class Failure : public std::exception {
  public:
    explicit Failure(std::string message)
        : message_(std::move(message)) {}
    const char* what() const noexcept override { return message_.c_str(); }

  private:
    std::string message_;
};

// How much a render may still do: one step for a node, and some for every 64 bytes gone through.
class Steps {
  public:
    explicit Steps(std::uint64_t limit)
        : limit_(limit) {}
    void spend(std::uint64_t steps = 1) {
        if ((used_ += steps) > limit_) fail();
    }
    void spend_bytes(std::size_t bytes) { spend(1 + bytes / 64); }
    // Looking for one text in another may compare the whole of both at every place.
    void spend_search(std::string_view text, std::string_view wanted) {
        spend_bytes(text.size() * (1 + std::min(text.size(), wanted.size()) / 16));
    }

  private:
    [[noreturn]] void fail() const;
    std::uint64_t limit_;
    std::uint64_t used_ = 0;
};

struct Value {
    // BigInt is a whole number beyond 64 bits: kept as digits, printed, never computed with.
    enum class Kind : std::uint8_t {
        Undefined, // `text` says what is missing
        None,
        Bool,
        Int,
        Float,
        BigInt,
        String,
        List,
        Dict,
        Object,
    };

    Kind kind = Kind::None;
    bool markup = false; // a text that `safe` or `escape` made: `+` escapes what is added to it
    union {
        bool boolean;
        std::int64_t integer = 0;
        double number;
        const std::string* text;
        List* list;
        Dict* dict;
        Object* object;
    };

    Value() = default;
    explicit Value(bool v)
        : kind(Kind::Bool)
        , boolean(v) {}
    explicit Value(std::int64_t v)
        : kind(Kind::Int)
        , integer(v) {}
    explicit Value(double v)
        : kind(Kind::Float)
        , number(v) {}
    explicit Value(const std::string* v, Kind k = Kind::String)
        : kind(k)
        , text(v) {}
    explicit Value(List* v)
        : kind(Kind::List)
        , list(v) {}
    explicit Value(Dict* v)
        : kind(Kind::Dict)
        , dict(v) {}
    explicit Value(Object* v)
        : kind(Kind::Object)
        , object(v) {}

    bool is(Kind k) const { return kind == k; }
    bool is_undefined() const { return kind == Kind::Undefined; }
    bool is_none() const { return kind == Kind::None; }
    bool is_string() const { return kind == Kind::String; }
    bool is_number() const { return kind >= Kind::Bool && kind <= Kind::BigInt; }
    bool is_integral() const { return kind == Kind::Bool || kind == Kind::Int; }
    std::int64_t as_integer() const { return is(Kind::Bool) ? boolean : integer; }
};

using Kind = Value::Kind;

struct List {
    // A view is what dict.items() and its like give; a generator can be gone through only once and
    // is always true: templates published for Python meet both.
    enum class Flavor : std::uint8_t { List, Tuple, View, Generator };
    Flavor flavor = Flavor::List;
    std::vector<Value> items;

    bool indexable() const { return flavor == Flavor::List || flavor == Flavor::Tuple; }
};

struct Dict {
    std::vector<std::pair<Value, Value>> entries; // in the order of insertion

    const Value* find(const Value& key) const;
    const Value* find(std::string_view key) const;
    // Throws Failure: a key is a text, a number, a truth value or None.
    void set(const Value& key, const Value& value);

  private:
    std::unordered_multimap<std::size_t, std::size_t> index_; // hash of the key: place in entries
};

class Heap {
  public:
    explicit Heap(std::size_t limit);
    ~Heap();
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    Value text(std::string text);
    Value list(std::vector<Value> items, List::Flavor flavor = List::Flavor::List);
    Value tuple(std::vector<Value> items) { return list(std::move(items), List::Flavor::Tuple); }
    Value generator(std::vector<Value> items) {
        return list(std::move(items), List::Flavor::Generator);
    }
    Dict* dict();
    void set(Dict& dict, const Value& key, const Value& value);
    Value undefined(std::string what);
    template<class T, class... Args>
    T* make(Args&&... args) {
        charge(sizeof(T) + 64);
        auto owned = std::make_unique<T>(std::forward<Args>(args)...);
        T* made = owned.get();
        objects_.push_back(std::move(owned));
        return made;
    }

    // Throws Failure when more than the limit has been made. Called before the bytes exist.
    void charge(std::size_t bytes);
    std::size_t left() const { return limit_ - used_; }

  private:
    std::size_t limit_;
    std::size_t used_ = 0;
    std::deque<std::string> strings_;
    std::deque<List> lists_;
    std::deque<Dict> dicts_;
    std::vector<std::unique_ptr<Object>> objects_;
};

// A text that grows no longer than `limit`; else Failure.
class Text {
  public:
    explicit Text(std::size_t limit)
        : limit_(limit) {}
    void add(std::string_view piece);
    void repeat(std::string_view piece, std::size_t times);
    const std::string& view() const { return text_; }
    std::string take() { return std::move(text_); }

  private:
    std::size_t limit_;
    std::string text_;
};

bool truth(const Value& value);
bool equal(const Value& a, const Value& b, Steps& steps, int depth = 0);
// -1, 0, 1; NaN is unordered and gives 2. Throws Failure for what Python does not order; `sign` is
// for its message.
int compare(const Value& a, const Value& b, std::string_view sign, Steps& steps, int depth = 0);
std::string type_name(const Value& value);  // as Python calls it
std::string escaped(std::string_view text); // for HTML, as markupsafe does
[[noreturn]] void fail_undefined(const Value& value);

inline constexpr int kDeepestValue = 200; // values inside one another, for printing and comparing

// str() and repr() of Python.
void add_text(Text& out, const Value& value);
void add_repr(Text& out, const Value& value, int depth = 0);
std::string to_text(const Value& value, std::size_t limit);
std::string float_text(double number);     // repr of a float: 1.0, 1e-07, -0.0, inf
std::string quoted(std::string_view text); // repr of a str

} // namespace assay::engine::jinja
