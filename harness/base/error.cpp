#include "assay/base/error.h"

#include <system_error>

namespace assay {

std::string_view to_string(ErrorKind kind) {
    switch (kind) {
    case ErrorKind::Usage:
        return "usage";
    case ErrorKind::Input:
        return "input";
    case ErrorKind::Io:
        return "io";
    case ErrorKind::Sandbox:
        return "sandbox";
    case ErrorKind::Model:
        return "model";
    case ErrorKind::Agent:
        return "agent";
    case ErrorKind::Verifier:
        return "verifier";
    case ErrorKind::Unsupported:
        return "unsupported";
    case ErrorKind::Internal:
        return "internal";
    }
    return "internal";
}

Error::Error(ErrorKind kind, std::string message)
    : kind_(kind)
    , message_(std::move(message)) {}

Error&& Error::hint(std::string text) && {
    hint_ = std::move(text);
    return std::move(*this);
}

Error& Error::frame(std::string text) {
    frames_.push_back(std::move(text));
    return *this;
}

std::string Error::render() const {
    std::string out = message_;
    for (const std::string& text : frames_) out += "\n  while " + text;
    if (!hint_.empty()) out += "\n  " + hint_;
    return out;
}

Error io_error(std::string_view doing, int error_number) {
    return Error(ErrorKind::Io,
                 std::string(doing) + ": " + std::generic_category().message(error_number));
}

} // namespace assay
