#include "assay/base/fd.h"
#include "catch.h"
#include "wire/wire.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace assay::wire {

namespace {
struct Sockets {
    UniqueFd a, b;
    Sockets() {
        int pair[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        a = UniqueFd(pair[0]);
        b = UniqueFd(pair[1]);
    }
};
std::ptrdiff_t open_files() {
    std::ptrdiff_t count = 0;
    for (int fd = 0; fd < 256; fd++) count += ::fcntl(fd, F_GETFD) >= 0;
    return count;
}
} // namespace

TEST_CASE("messages of any size arrive whole, with their descriptors") {
    Sockets s;
    for (std::size_t size :
         {std::size_t(0), std::size_t(1), kInlineLimit, kInlineLimit + 1, std::size_t(1) << 20}) {
        INFO(size);
        std::string payload(size, 'p');
        REQUIRE(send_message(s.a.get(), Op::Spawn, 7, payload, {s.a.get()}) == 0);
        Message message;
        REQUIRE(receive_message(s.b.get(), message) == 0);
        CHECK(message.op == Op::Spawn);
        CHECK(message.id == 7);
        CHECK(message.payload == payload);
        REQUIRE(message.fds.size() == 1);
        CHECK((::fcntl(message.fds[0], F_GETFD) & FD_CLOEXEC) != 0);
        close_fds(message.fds);
    }
    CHECK(send_message(s.a.get(), Op::Spawn, 7, std::string(kPayloadLimit + 1, 'x')) == E2BIG);
    s.a.reset();
    Message message;
    CHECK(receive_message(s.b.get(), message) == -1);
}

TEST_CASE("malformed messages are refused and their descriptors closed") {
    Sockets s;
    auto before = open_files();
    Message message;
    REQUIRE(::send(s.a.get(), "short", 5, 0) == 5);
    CHECK(receive_message(s.b.get(), message) == EBADMSG);
    Header lies{1, 1, 0, 100}; // promises more than there is
    REQUIRE(::send(s.a.get(), &lies, sizeof lies, 0) == sizeof lies);
    CHECK(receive_message(s.b.get(), message) == EBADMSG);
    // "In a memfd", but the descriptor is one that could block for ever.
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    Header header{1, 1, kInMemfd, 10};
    iovec part{&header, sizeof header};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr raw{};
    raw.msg_iov = &part;
    raw.msg_iovlen = 1;
    raw.msg_control = control;
    raw.msg_controllen = sizeof control;
    cmsghdr* c = CMSG_FIRSTHDR(&raw);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(c), &pipe[0], sizeof(int));
    REQUIRE(::sendmsg(s.a.get(), &raw, 0) == sizeof header);
    ::close(pipe[0]);
    ::close(pipe[1]);
    CHECK(receive_message(s.b.get(), message) == EBADMSG);
    CHECK(open_files() == before);
}

TEST_CASE("a reader never passes the end") {
    std::string good = Writer().i32(-5).str("text").list(std::vector<std::string>{"a", ""}).data();
    Reader reader(good);
    CHECK(reader.i32() == -5);
    CHECK(reader.str() == "text");
    CHECK(reader.list() == std::vector<std::string>{"a", ""});
    CHECK(reader.done());
    for (std::size_t size = 0; size < good.size(); size++) {
        Reader cut(std::string_view(good).substr(0, size));
        cut.i32();
        cut.str();
        cut.list();
        CHECK_FALSE(cut.done());
    }
    std::string many = Writer().u32(0xffffffff).data();
    Reader huge(many);
    CHECK(huge.list().empty());
    CHECK_FALSE(huge.ok());
}

} // namespace assay::wire
