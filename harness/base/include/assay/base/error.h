// Errors as data: what went wrong, what to do about it, and the frames added on the way up.
//
//   throw Error(ErrorKind::Input, "task.toml: no [verifier] table").hint("add [verifier]");
//   try { load(path); } catch (Error& e) { e.frame("loading task " + id); throw; }
//
// The kind says whose fault it is, and so decides the class of an attempt: errors of the sandbox,
// the model's transport or the harness are never counted against the model.
// Interrupted (cancel.h) is a sibling, not a subclass: a broad `catch (Error&)` keeps Ctrl-C alive.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

enum class ErrorKind {
    Usage,       // the command line or a config file
    Input,       // a task, archive, database or other file that we were given
    Io,          // the operating system said no: disk full, permission, missing file
    Sandbox,     // an environment could not be made or was lost
    Model,       // a model call failed (models: see ModelError for the finer classes)
    Agent,       // the agent broke its own protocol beyond repair: counts against the model
    Verifier,    // the verifier gave no usable score
    Unsupported, // named feature that this build or machine does not have
    Internal,    // a bug of ours
};

std::string_view to_string(ErrorKind kind);

class Error : public std::exception {
  public:
    Error(ErrorKind kind, std::string message);

    Error&& hint(std::string text) &&; // what the reader can do; shown on its own line
    Error& frame(std::string text);    // context, innermost first

    ErrorKind kind() const { return kind_; }
    const std::string& message() const { return message_; }
    const std::string& hint() const { return hint_; }
    const std::vector<std::string>& frames() const { return frames_; }

    const char* what() const noexcept override { return message_.c_str(); }
    std::string render() const; // several lines: frames, message, hint

  private:
    ErrorKind kind_;
    std::string message_;
    std::string hint_;
    std::vector<std::string> frames_;
};

// Io error from errno; `doing` is a phrase such as "open /x/y".
Error io_error(std::string_view doing, int error_number);

} // namespace assay
