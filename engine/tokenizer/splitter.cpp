#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/splitter.h"

#include "assay/base/error.h"
#include "tokenizer/utf8.h"

#include <fmt/format.h>
#include <pcre2.h>

#include <new>

namespace assay::engine {

namespace {

// Steps of one match: a word of 10 MB takes fewer, an expression that doubles them ends here.
constexpr std::uint32_t kMostSteps = 50'000'000;
constexpr std::size_t kLargestStack = 1 << 20;

PCRE2_SPTR8 units(std::string_view text) {
    return reinterpret_cast<PCRE2_SPTR8>(text.data());
}

std::string message(int code) {
    PCRE2_UCHAR8 text[256];
    pcre2_get_error_message_8(code, text, sizeof text);
    return reinterpret_cast<const char*>(text);
}

template<class T>
T* made(T* pointer) {
    if (pointer == nullptr) throw std::bad_alloc();
    return pointer;
}

} // namespace

void PcreFree::operator()(pcre2_real_code_8* p) const {
    pcre2_code_free_8(p);
}
void PcreFree::operator()(pcre2_real_match_data_8* p) const {
    pcre2_match_data_free_8(p);
}
void PcreFree::operator()(pcre2_real_match_context_8* p) const {
    pcre2_match_context_free_8(p);
}
void PcreFree::operator()(pcre2_real_jit_stack_8* p) const {
    pcre2_jit_stack_free_8(p);
}

SplitSpace::SplitSpace()
    : data_(made(pcre2_match_data_create_8(1, nullptr)))
    , stack_(pcre2_jit_stack_create_8(1 << 15, kLargestStack, nullptr)) // none without JIT
    , context_(made(pcre2_match_context_create_8(nullptr))) {
    pcre2_set_match_limit_8(context_.get(), kMostSteps);
    if (stack_ != nullptr) pcre2_jit_stack_assign_8(context_.get(), nullptr, stack_.get());
}

Splitter::Splitter(const TokenizerFile& file)
    : name_(file.name) {
    for (const SplitRule& rule : file.splits) {
        int error = 0;
        PCRE2_SIZE at = 0;
        std::unique_ptr<pcre2_real_code_8, PcreFree> code(
            pcre2_compile_8(units(rule.expression), rule.expression.size(),
                            PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr));
        if (code == nullptr)
            throw Error(ErrorKind::Input,
                        fmt::format("{}: pre_tokenizer: the expression does not compile: {}, at "
                                    "byte {} of {}",
                                    name_, message(error), at, rule.expression));
        pcre2_jit_compile_8(code.get(), PCRE2_JIT_COMPLETE); // or else it is interpreted
        rules_.push_back({std::move(code), rule.keep_matches, rule.keep_rest});
    }
}

void Splitter::split(std::string_view text, SplitSpace& space, std::vector<Span>& out) const {
    apply(0, text, {0, text.size()}, space, out);
}

// An expression sees its part alone: what stands before or behind it is not there.
void Splitter::apply(std::size_t rule, std::string_view text, Span part, SplitSpace& space,
                     std::vector<Span>& out) const {
    if (part.begin == part.end) return;
    if (rule == rules_.size()) {
        out.push_back(part);
        return;
    }
    const Rule& r = rules_[rule];
    std::string_view subject = text.substr(part.begin, part.end - part.begin);
    auto give = [&](std::size_t begin, std::size_t end, bool keep) {
        if (keep) apply(rule + 1, text, {part.begin + begin, part.begin + end}, space, out);
    };
    std::size_t done = 0; // behind the last match
    bool matched = false;
    for (std::size_t at = 0; at <= subject.size();) {
        int result = pcre2_match_8(r.code.get(), units(subject), subject.size(), at,
                                   PCRE2_NO_UTF_CHECK, space.data_.get(), space.context_.get());
        if (result == PCRE2_ERROR_NOMATCH) break;
        if (result < 0)
            throw Error(ErrorKind::Input,
                        fmt::format("{}: pre_tokenizer: splitting a text of {} bytes: {}", name_,
                                    subject.size(), message(result)));
        const PCRE2_SIZE* found = pcre2_get_ovector_pointer_8(space.data_.get());
        std::size_t begin = found[0], end = found[1];
        if (begin == end && matched && begin == done) { // an empty one right behind the last
            if (at == subject.size()) break;
            at += utf8_length(subject[at]);
            continue;
        }
        give(done, begin, r.keep_rest);
        give(begin, end, r.keep_matches);
        done = at = end;
        matched = true;
    }
    give(done, subject.size(), r.keep_rest);
}

} // namespace assay::engine
