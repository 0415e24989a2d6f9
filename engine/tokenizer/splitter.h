// Cuts text into the words that BPE is applied to, by the expressions of tokenizer.json in PCRE2.
#pragma once

#include "tokenizer/tokenizer_file.h"

#include <memory>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;
struct pcre2_real_jit_stack_8;

namespace assay::engine {

struct PcreFree {
    void operator()(pcre2_real_code_8* p) const;
    void operator()(pcre2_real_match_data_8* p) const;
    void operator()(pcre2_real_match_context_8* p) const;
    void operator()(pcre2_real_jit_stack_8* p) const;
};

// Work space of one thread.
class SplitSpace {
  public:
    SplitSpace();

  private:
    friend class Splitter;
    std::unique_ptr<pcre2_real_match_data_8, PcreFree> data_;
    std::unique_ptr<pcre2_real_jit_stack_8, PcreFree> stack_;
    std::unique_ptr<pcre2_real_match_context_8, PcreFree> context_;
};

struct Span {
    std::size_t begin, end;
};

class Splitter {
  public:
    explicit Splitter(const TokenizerFile& file); // throws Error(Input) for a bad expression

    // Appends the words in order, none of them empty. Throws Error(Input) if an expression takes
    // too many steps. Thread-safe, with a space for each thread.
    void split(std::string_view text, SplitSpace& space, std::vector<Span>& out) const;

  private:
    struct Rule {
        std::unique_ptr<pcre2_real_code_8, PcreFree> code;
        bool keep_matches, keep_rest;
    };
    void apply(std::size_t rule, std::string_view text, Span part, SplitSpace& space,
               std::vector<Span>& out) const;

    std::string name_;
    std::vector<Rule> rules_;
};

} // namespace assay::engine
