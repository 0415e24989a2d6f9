#include "expression.h"

#include "assay/base/error.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>

namespace assay::kernel_bench {

namespace {

constexpr std::size_t kMaxLength = 1000;
constexpr int kMaxDepth = 50;

class Parser {
  public:
    Parser(std::string_view text, const Axes& axes)
        : text_(text)
        , axes_(axes) {}

    double whole() {
        if (text_.size() > kMaxLength) fail("is longer than 1000 characters");
        double value = sum(0);
        skip_space();
        if (at_ != text_.size()) fail("has something after its end");
        if (!std::isfinite(value)) fail("is not finite");
        return value;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw Error(ErrorKind::Input, fmt::format("expression '{}' {} (column {})",
                                                  text_.substr(0, 100), what, at_ + 1));
    }

    void skip_space() {
        while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    }

    bool take(std::string_view token) {
        skip_space();
        if (!text_.substr(at_).starts_with(token)) return false;
        at_ += token.size();
        return true;
    }

    double sum(int depth) {
        double value = product(depth);
        for (;;) {
            if (take("+"))
                value += product(depth);
            else if (take("-"))
                value -= product(depth);
            else
                return value;
        }
    }

    double product(int depth) {
        double value = factor(depth);
        for (;;) {
            if (take("*")) {
                value *= factor(depth);
            } else if (take("//")) {
                value = std::floor(value / divisor(depth));
            } else if (take("/")) {
                value /= divisor(depth);
            } else {
                return value;
            }
        }
    }

    double divisor(int depth) {
        double value = factor(depth);
        if (value == 0) fail("divides by zero");
        return value;
    }

    double factor(int depth) {
        if (depth > kMaxDepth) fail("is nested more than 50 deep");
        if (take("-")) return -factor(depth + 1);
        if (take("(")) {
            double value = sum(depth + 1);
            if (!take(")")) fail("misses a ')'");
            return value;
        }
        if (at_ == text_.size()) fail("ends too early");
        if (std::isdigit(static_cast<unsigned char>(text_[at_]))) return number();
        return name();
    }

    double number() {
        double value = 0;
        auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
        if (error != std::errc()) fail("has a bad number");
        at_ = static_cast<std::size_t>(end - text_.data());
        return value;
    }

    double name() {
        std::size_t end = at_;
        auto part = [&](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
        while (end < text_.size() && part(text_[end])) ++end;
        if (end == at_) fail("has an unexpected character");
        auto found = axes_.find(std::string(text_.substr(at_, end - at_)));
        if (found == axes_.end())
            fail(fmt::format("names '{}', which is no axis", text_.substr(at_, end - at_)));
        at_ = end;
        return static_cast<double>(found->second);
    }

    std::string_view text_;
    const Axes& axes_;
    std::size_t at_ = 0;
};

} // namespace

double evaluate(std::string_view expression, const Axes& axes) {
    return Parser(expression, axes).whole();
}

} // namespace assay::kernel_bench
