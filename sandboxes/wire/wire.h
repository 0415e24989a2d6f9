// The binary messages between assay, assay-launch and assay-init. One datagram of a SOCK_SEQPACKET
// socket is one message: u32 op, u32 id, u32 flags, u32 size, then `size` bytes of payload.
// Descriptors travel beside it (SCM_RIGHTS). A payload over kInlineLimit is put in a sealed memfd,
// which is the last descriptor, and kInMemfd is set.
//
// Integers are in the machine's order: both ends are this build on this machine. Strings are a u32
// length and bytes. Each end treats the other as hostile: Reader checks every bound and turns
// `ok` false for good; the caller looks at done() once, at the end.
//
// Used by static helper programs: no exceptions, no dependency.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace assay::wire {

enum class Op : std::uint32_t {
    // assay -> assay-launch, on the run's socket
    Prepare = 1, // fork a child that gets ready; fds: its control socket, [user ns], [net ns]
    Helper,      // run a program of the host that dies with the run: list argv; fds: [output, 3...]
    // assay -> the prepared child, on its control socket
    Launch, // str log, list argv: becomes bubblewrap and then assay-init, on an empty root
    // or instead of Launch:
    Root,   // the root of a running sandbox; fds: its mount and UTS namespaces. str hostname;
            // str from, str to: rename once the old root is gone (empty: there is none to seal);
            // u32 n, n times str at, list upper, work, lower...; u32 n, n times str folder, str at
    Remove, // payload: a tree to delete as the namespace's root
    Layer,  // u64 limit, list upper folders, list where they are inside; fds: a file for their tar
            // -> Ok: u64 size; over the limit nothing useful was written
    Bridge, // make a bridge in its network namespace -> Ok; fds: that namespace
    Link,   // u32 number, u32 address; fds: a sandbox's network namespace, to join to the bridge
    // the prepared child, or assay-init -> assay
    Hello,  // ready: init runs
    Failed, // i32 errno, string stage
    Ok,     // answer to a request; payload and fds as the request says
    // assay -> assay-init
    Spawn,   // -> Ok: i32 pid; fds: [pty master]
    Signal,  // i32 pid, i32 signal
    Socket,  // -> Ok; fds: a new TCP socket of the sandbox's network namespace
    File,    // fds: a stream socket on which a worker serves the transfer
    Count,   // -> Ok: u32 processes other than init
    KillAll, // every process other than init; -> Ok when they are gone
};

constexpr std::size_t kInlineLimit = 60'000;
constexpr std::size_t kPayloadLimit = 4u << 20; // larger than any argv + environment Linux takes
constexpr std::size_t kMaxFds = 8;
constexpr std::uint32_t kInMemfd = 1;

struct Header {
    std::uint32_t op = 0, id = 0, flags = 0, size = 0;
};

class Writer {
  public:
    Writer& u32(std::uint32_t v) { return raw(&v, sizeof v); }
    Writer& i32(std::int32_t v) { return raw(&v, sizeof v); }
    Writer& u64(std::uint64_t v) { return raw(&v, sizeof v); }
    Writer& str(std::string_view v) {
        u32(static_cast<std::uint32_t>(v.size()));
        return raw(v.data(), v.size());
    }
    template<class List>
    Writer& list(const List& items) {
        u32(static_cast<std::uint32_t>(items.size()));
        for (const auto& item : items) str(item);
        return *this;
    }
    const std::string& data() const { return data_; }

  private:
    Writer& raw(const void* from, std::size_t size) {
        data_.append(static_cast<const char*>(from), size);
        return *this;
    }
    std::string data_;
};

class Reader {
  public:
    explicit Reader(std::string_view data)
        : rest_(data) {}
    std::uint32_t u32() { return number<std::uint32_t>(); }
    std::int32_t i32() { return number<std::int32_t>(); }
    std::uint64_t u64() { return number<std::uint64_t>(); }
    std::string str() {
        std::size_t size = u32();
        if (!ok_ || size > rest_.size()) return fail(), std::string();
        std::string out(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return out;
    }
    std::vector<std::string> list() {
        std::size_t count = u32();
        std::vector<std::string> out;
        if (count > rest_.size() / 4) fail(); // each item takes four bytes at least
        for (std::size_t i = 0; ok_ && i < count; i++) out.push_back(str());
        return out;
    }
    bool done() const { return ok_ && rest_.empty(); } // all well-formed and nothing left over
    bool ok() const { return ok_; }

  private:
    template<class T>
    T number() {
        T v{};
        if (!ok_ || rest_.size() < sizeof v) return fail(), T{};
        std::memcpy(&v, rest_.data(), sizeof v);
        rest_.remove_prefix(sizeof v);
        return v;
    }
    void fail() {
        ok_ = false;
        rest_ = {};
    }
    std::string_view rest_;
    bool ok_ = true;
};

struct Message {
    Op op = Op::Failed;
    std::uint32_t id = 0;
    std::string payload;
    std::vector<int> fds; // owned by whoever received the message
    int sender_pid = 0;   // if the socket has SO_PASSCRED
};

// 0 or errno. Never raises SIGPIPE.
int send_message(int socket, Op op, std::uint32_t id, std::string_view payload,
                 const std::vector<int>& fds = {});
// 0, errno, or -1 at end of file. EBADMSG: not a message (its descriptors are closed).
int receive_message(int socket, Message& out);
void close_fds(std::vector<int>& fds);

// The stream of a file transfer, in both directions: entries, then one End or Error.
//   u8 kind, u32 mode, u64 size, string path (relative; empty: the path asked for itself)
// followed by `size` bytes for a File, and of text for Link (its target), Skip and Error (why).
enum class Entry : std::uint8_t { File = 1, Folder, Link, Skip, End, Error, Missing };
struct EntryHead {
    Entry kind = Entry::End;
    std::uint32_t mode = 0;
    std::uint64_t size = 0;
    std::string path;
};
constexpr std::size_t kPathLimit = 4096;
constexpr std::size_t kTextLimit = 4096;
std::string encode(const EntryHead& head);

enum class FileOp : std::uint32_t { PutFile = 1, PutFolder, GetFile, GetFolder, Remove };

enum SpawnFlags : std::uint32_t { kSpawnPty = 1, kSpawnStdin = 2, kSpawnMerge = 4 };
enum PrepareFlags : std::uint32_t {
    kOneUser = 1,     // map only our own uid, to 0
    kSubordinate = 2, // newuidmap / newgidmap ranges
    kJoinUser = 4,    // a user namespace is passed
    kJoinNet = 8,     // a network namespace is passed
    kKeepNet = 16,    // stay in the machine's: nothing of a guarded sandbox will run there
};

} // namespace assay::wire
