// A template's source as tokens, with the white space control of jinja2 under trim_blocks and
// lstrip_blocks, and without the newline that ends the source.
#pragma once

#include "chat/value.h"

#include <string>
#include <string_view>
#include <vector>

namespace assay::engine::jinja {

struct Token {
    enum class Type {
        Data,
        BlockBegin,
        BlockEnd,
        VariableBegin,
        VariableEnd,
        Name,
        String,
        Integer,
        Float,
        Operator,
        End,
    };
    Type type;
    int line;
    std::string text; // of a string: its value; of an integer: its decimal digits
};

// Thrown with the line by lexer and parser; template.cpp makes an Error of it.
struct SyntaxFailure {
    int line;
    std::string message;
};

std::vector<Token> tokenize(std::string_view source);

} // namespace assay::engine::jinja
