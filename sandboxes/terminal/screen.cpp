#include "terminal/screen.h"

#include "assay/base/error.h"

#include <vterm.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace assay {
namespace {

constexpr int kMaxSide = 1000;
constexpr std::size_t kMaxAnswers = 4096; // a program can ask endlessly and never read
constexpr std::size_t kMaxHistoryBytes = 64u << 20;

TerminalSize clamped(TerminalSize size) {
    return {std::clamp(size.columns, 2, kMaxSide), std::clamp(size.rows, 2, kMaxSide)};
}

void append_utf8(std::string& out, std::uint32_t c) {
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) c = 0xfffd;
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 63));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 63));
        out += static_cast<char>(0x80 | (c & 63));
    } else {
        out += static_cast<char>(0xf0 | (c >> 18));
        out += static_cast<char>(0x80 | ((c >> 12) & 63));
        out += static_cast<char>(0x80 | ((c >> 6) & 63));
        out += static_cast<char>(0x80 | (c & 63));
    }
}

// The right half of a wide character is a cell with the code -1.
void append_cell(std::string& out, const VTermScreenCell& cell) {
    if (cell.chars[0] == static_cast<std::uint32_t>(-1)) return;
    if (cell.chars[0] == 0) {
        out += ' ';
        return;
    }
    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] != 0; i++)
        append_utf8(out, cell.chars[i]);
}

void cut_blanks(std::string& line) {
    line.erase(line.find_last_not_of(' ') + 1);
}

// Stands before libvterm 0.1.4, which hostile output can make read past its input, write past its
// table of parameters, or loop for ever (CSI b with no character before it): all found by
// fuzz_terminal_screen. So an escape sequence is held until it is whole and passed only if it is
// well-formed and small. Control strings (OSC, DCS, SOS, PM, APC) change nothing on the screen and
// are left out; REP (CSI b) is written out.
class Filter {
  public:
    void pass(std::string_view from, std::string& to) {
        for (char c : from) step(c, to);
    }

  private:
    enum class State { Ground, Escape, Csi, String };

    void step(char c, std::string& to) {
        auto byte = static_cast<unsigned char>(c);
        if (state_ == State::String) {
            bool given_up = ++length_ > kLongest; // an unfinished one must not swallow the rest
            if (c == '\a' || given_up) state_ = State::Ground;
        }
        if (c == kEscape) {
            state_ = State::Escape;
            held_.clear();
        } else if (c == kCancel || c == kSubstitute) {
            state_ = State::Ground;
        } else if (state_ == State::String || byte == 0x7f) {
            return;
        } else if (byte < 0x20) {
            if (c != '\a' || state_ == State::Ground) to += c; // done at once, also in a sequence
        } else if (state_ == State::Escape) {
            escape(c, to);
        } else if (state_ == State::Csi) {
            csi(c, to);
        } else {
            if ((byte & 0xc0) != 0x80 || last_.size() >= 4) last_.clear();
            last_ += c;
            to += c;
        }
    }

    void escape(char c, std::string& to) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x30) {
            held_ += c;
            if (held_.size() > 2) state_ = State::Ground;
            return;
        }
        state_ = State::Ground;
        bool plain = held_.empty();
        if (plain && c == '[') {
            state_ = State::Csi;
        } else if (plain && (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')) {
            state_ = State::String;
            length_ = 0;
        } else if (byte < 0x7f && c != '[' && c != ']' && c != 'P' && c != 'X' && c != '^' &&
                   c != '_') {
            to += kEscape + held_ + c;
        }
    }

    void csi(char c, std::string& to) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x40) {
            if (held_.size() <= kLongestCsi) held_ += c;
            return;
        }
        state_ = State::Ground;
        if (byte >= 0x7f || !good_parameters()) return;
        if (c != 'b') {
            to += std::string{kEscape, '['} + held_ + c;
            return;
        }
        int count = std::clamp(std::atoi(held_.c_str()), 1, kMaxSide);
        for (int n = 0; n < count; n++) to += last_;
    }

    // At most 12 numbers of at most five digits, then at most two intermediates.
    bool good_parameters() const {
        if (held_.size() > kLongestCsi) return false;
        int numbers = 1, digits = 0, intermediates = 0;
        for (std::size_t i = 0; i < held_.size(); i++) {
            char c = held_[i];
            if (c >= 0x20 && c < 0x30) {
                if (++intermediates > 2) return false;
                continue;
            }
            if (intermediates > 0 || (c >= '<' && i > 0)) return false;
            if (c == ';' || c == ':') {
                digits = 0;
                if (++numbers > 12) return false;
            } else if (c < '<' && ++digits > 5) {
                return false;
            }
        }
        return true;
    }

    static constexpr char kEscape = '\x1b', kCancel = '\x18', kSubstitute = '\x1a';
    static constexpr std::size_t kLongest = 1u << 20, kLongestCsi = 80;
    State state_ = State::Ground;
    std::string held_; // of the sequence, after ESC or CSI
    std::string last_; // the character that REP repeats
    std::size_t length_ = 0;
};

} // namespace

struct Screen::State {
    VTerm* term = nullptr;
    VTermScreen* screen = nullptr;
    TerminalSize size;
    std::size_t history_lines = 0, history_bytes = 0;
    std::deque<std::string> above;
    std::string answers;
    Filter filter;

    ~State() {
        if (term != nullptr) vterm_free(term);
    }

    static int push_line(int columns, const VTermScreenCell* cells, void* user) {
        auto* self = static_cast<State*>(user);
        std::string line;
        for (int i = 0; i < columns; i++) append_cell(line, cells[i]);
        cut_blanks(line);
        self->history_bytes += line.size();
        self->above.push_back(std::move(line));
        while (self->above.size() > self->history_lines || self->history_bytes > kMaxHistoryBytes) {
            self->history_bytes -= self->above.front().size();
            self->above.pop_front();
        }
        return 1;
    }

    static void output(const char* bytes, std::size_t size, void* user) {
        auto* self = static_cast<State*>(user);
        if (self->answers.size() + size <= kMaxAnswers) self->answers.append(bytes, size);
    }
};

Screen::Screen(TerminalSize size, std::size_t history_lines)
    : state_(std::make_unique<State>()) {
    State& s = *state_;
    s.size = clamped(size);
    s.history_lines = history_lines;
    s.term = vterm_new(s.size.rows, s.size.columns);
    if (s.term == nullptr) throw Error(ErrorKind::Internal, "libvterm could not be set up");
    vterm_set_utf8(s.term, 1);
    vterm_output_set_callback(s.term, &State::output, &s);
    s.screen = vterm_obtain_screen(s.term);
    vterm_screen_enable_altscreen(s.screen, 1);
    static const VTermScreenCallbacks callbacks = [] {
        VTermScreenCallbacks c{};
        c.sb_pushline = &State::push_line;
        return c;
    }();
    vterm_screen_set_callbacks(s.screen, &callbacks, &s);
    vterm_screen_reset(s.screen, 1);
}

Screen::~Screen() = default;

void Screen::feed(std::string_view bytes) {
    std::string clean;
    clean.reserve(bytes.size());
    state_->filter.pass(bytes, clean);
    vterm_input_write(state_->term, clean.data(), clean.size());
    vterm_screen_flush_damage(state_->screen);
}

void Screen::resize(TerminalSize size) {
    state_->size = clamped(size);
    vterm_set_size(state_->term, state_->size.rows, state_->size.columns);
}

TerminalSize Screen::size() const {
    return state_->size;
}

std::string Screen::text() const {
    std::string out;
    for (int row = 0; row < state_->size.rows; row++) {
        std::string line;
        for (int column = 0; column < state_->size.columns; column++) {
            VTermScreenCell cell{};
            if (vterm_screen_get_cell(state_->screen, {row, column}, &cell) == 0) break;
            append_cell(line, cell);
        }
        cut_blanks(line);
        if (row > 0) out += '\n';
        out += line;
    }
    return out;
}

std::string Screen::history() const {
    std::string out;
    out.reserve(state_->history_bytes + state_->above.size());
    for (const std::string& line : state_->above) {
        out += line;
        out += '\n';
    }
    return out + text();
}

std::string Screen::take_answers() {
    return std::exchange(state_->answers, {});
}

} // namespace assay
