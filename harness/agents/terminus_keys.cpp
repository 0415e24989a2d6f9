#include "terminus_keys.h"

#include "assay/base/text.h"

#include <cctype>
#include <optional>

namespace assay {

namespace {

struct NamedKey {
    std::string_view name;
    std::string_view bytes; // without modifiers
    char letter = 0;        // CSI 1 ; modifier letter
    int number = 0;         // CSI number ; modifier ~
};

constexpr NamedKey kKeys[] = {
    {"Enter", "\r"},
    {"Escape", "\033"},
    {"Tab", "\t"},
    {"BTab", "\033[Z"},
    {"Space", " "},
    {"BSpace", "\177"},
    {"Up", "\033[A", 'A'},
    {"Down", "\033[B", 'B'},
    {"Right", "\033[C", 'C'},
    {"Left", "\033[D", 'D'},
    {"Home", "\033[H", 'H'},
    {"End", "\033[F", 'F'},
    {"IC", "\033[2~", 0, 2},
    {"Insert", "\033[2~", 0, 2},
    {"DC", "\033[3~", 0, 3},
    {"Delete", "\033[3~", 0, 3},
    {"PPage", "\033[5~", 0, 5},
    {"PageUp", "\033[5~", 0, 5},
    {"PgUp", "\033[5~", 0, 5},
    {"NPage", "\033[6~", 0, 6},
    {"PageDown", "\033[6~", 0, 6},
    {"PgDn", "\033[6~", 0, 6},
    {"F1", "\033OP", 'P'},
    {"F2", "\033OQ", 'Q'},
    {"F3", "\033OR", 'R'},
    {"F4", "\033OS", 'S'},
    {"F5", "\033[15~", 0, 15},
    {"F6", "\033[17~", 0, 17},
    {"F7", "\033[18~", 0, 18},
    {"F8", "\033[19~", 0, 19},
    {"F9", "\033[20~", 0, 20},
    {"F10", "\033[21~", 0, 21},
    {"F11", "\033[23~", 0, 23},
    {"F12", "\033[24~", 0, 24},
};

struct Modifiers {
    bool control = false, meta = false, shift = false;
    bool any() const { return control || meta || shift; }
    int code() const { return 1 + (shift ? 1 : 0) + (meta ? 2 : 0) + (control ? 4 : 0); }
};

std::optional<char> control_of(char c) {
    if (c == '?') return '\177';
    if (c == ' ') return '\0';
    auto upper = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (upper >= '@' && upper <= '_') return static_cast<char>(upper & 0x1f);
    return std::nullopt;
}

std::optional<std::string> named(std::string_view name, const Modifiers& modifiers) {
    for (const NamedKey& key : kKeys) {
        if (!equals_nocase(key.name, name)) continue;
        if (!modifiers.any()) return std::string(key.bytes);
        std::string code = std::to_string(modifiers.code());
        if (key.letter != 0) return "\033[1;" + code + key.letter;
        if (key.number != 0) return "\033[" + std::to_string(key.number) + ";" + code + "~";
        if (modifiers.control && key.name == "Space") return std::string(1, '\0');
        return (modifiers.meta ? "\033" : "") + std::string(key.bytes);
    }
    return std::nullopt;
}

} // namespace

std::string terminal_bytes(std::string_view keystrokes) {
    std::string_view rest = keystrokes;
    Modifiers modifiers;
    while (rest.size() > 2 && rest[1] == '-') {
        switch (rest[0]) {
        case 'C':
        case 'c':
            modifiers.control = true;
            break;
        case 'M':
        case 'm':
            modifiers.meta = true;
            break;
        case 'S':
        case 's':
            modifiers.shift = true;
            break;
        default:
            return std::string(keystrokes);
        }
        rest.remove_prefix(2);
    }
    if (rest.size() == 2 && rest[0] == '^') {
        modifiers.control = true;
        rest.remove_prefix(1);
    }
    if (rest.size() == 1) {
        if (!modifiers.any() || (modifiers.shift && !modifiers.control && !modifiers.meta))
            return std::string(keystrokes);
        char byte = rest[0];
        if (modifiers.control) {
            auto control = control_of(byte);
            if (!control) return std::string(keystrokes);
            byte = *control;
        }
        return (modifiers.meta ? "\033" : "") + std::string(1, byte);
    }
    return named(rest, modifiers).value_or(std::string(keystrokes));
}

} // namespace assay
