// The calculator: a recursive descent over doubles, bounded in depth.
#include "server.h"

#include <charconv>
#include <cmath>

namespace kit {

namespace {

constexpr int kMaxDepth = 100;

class Parser {
  public:
    explicit Parser(const std::string& text)
        : text_(text) {}
    double all() {
        double value = sum();
        if (peek() != 0) fail("unexpected '" + std::string(1, peek()) + "'");
        return value;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw ToolError(what + " at position " + std::to_string(at_ + 1));
    }
    char peek() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool take(std::string_view token) {
        peek();
        if (std::string_view(text_).substr(at_, token.size()) != token) return false;
        at_ += token.size();
        return true;
    }
    double sum() {
        double value = product();
        for (;;) {
            if (take("+"))
                value += product();
            else if (take("-"))
                value -= product();
            else
                return value;
        }
    }
    double product() {
        double value = signed_power();
        for (;;) {
            peek();
            if (std::string_view(text_).substr(at_, 2) == "**") return value;
            if (take("*")) {
                value *= signed_power();
            } else if (take("//")) {
                value = std::floor(value / divisor());
            } else if (take("/")) {
                value /= divisor();
            } else if (take("%")) {
                double by = divisor();
                value -= by * std::floor(value / by);
            } else {
                return value;
            }
        }
    }
    double divisor() {
        double value = signed_power();
        if (value == 0) fail("division by zero");
        return value;
    }
    double signed_power() {
        if (++depth_ > kMaxDepth) fail("too deeply nested");
        double value;
        if (take("-"))
            value = -signed_power();
        else if (take("+"))
            value = signed_power();
        else
            value = power();
        --depth_;
        return value;
    }
    double power() {
        double base = atom();
        if (take("**") || take("^")) return std::pow(base, signed_power());
        return base;
    }
    double atom() {
        if (take("(")) {
            double value = sum();
            if (!take(")")) fail("')' is missing");
            return value;
        }
        char c = peek();
        if (std::isalpha(static_cast<unsigned char>(c))) return named();
        double value = 0;
        auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
        if (error != std::errc()) fail("a number is missing");
        at_ = static_cast<std::size_t>(end - text_.data());
        return value;
    }
    double named() {
        std::string name;
        while (at_ < text_.size() && std::isalnum(static_cast<unsigned char>(text_[at_])))
            name += text_[at_++];
        if (name == "pi") return M_PI;
        if (name == "e") return M_E;
        if (!take("(")) fail("unknown name '" + name + "'");
        double value = sum();
        double second = take(",") ? sum() : 0;
        if (!take(")")) fail("')' is missing");
        if (name == "sqrt") return std::sqrt(value);
        if (name == "abs") return std::fabs(value);
        if (name == "log") return std::log(value);
        if (name == "exp") return std::exp(value);
        if (name == "floor") return std::floor(value);
        if (name == "ceil") return std::ceil(value);
        if (name == "round") {
            double scale = std::pow(10.0, second);
            return std::nearbyint(value * scale) / scale;
        }
        fail("unknown function '" + name + "'");
    }

    const std::string& text_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

} // namespace

double evaluate(const std::string& expression) {
    if (expression.size() > 100'000) throw ToolError("the expression is too long");
    return Parser(expression).all();
}

std::string number_text(double value) {
    char buffer[64];
    auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
    return std::string(buffer, end);
}

std::vector<Tool> calculator_tools() {
    return {{"calculate",
             "Calculates/evaluates the given expression.",
             {{"expression", {{"type", "string"}}}},
             {"expression"},
             [](const Json& a) { return number_text(evaluate(text_argument(a, "expression"))); }}};
}

} // namespace kit
