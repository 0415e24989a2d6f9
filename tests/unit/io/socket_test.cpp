#include "assay/base/error.h"
#include "assay/base/fs.h"
#include "assay/io/fd_stream.h"
#include "assay/io/socket.h"
#include "catch.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <thread>

using namespace assay;
using namespace std::chrono_literals;

TEST_CASE("tcp over loopback, by name and by number") {
    Cancel cancel = Cancel().child(Cause::Deadline, 20s, "test");
    TcpListener listener = listen_loopback();
    REQUIRE(listener.port != 0);
    for (std::string host : {"127.0.0.1", "localhost"}) {
        FdStream client(connect_tcp(host, listener.port, cancel));
        FdStream server(accept_one(listener.fd.get(), cancel));
        client.write("hi", cancel);
        std::array<char, 8> buffer;
        REQUIRE(server.read(buffer, cancel) == 2);
    }
}

TEST_CASE("a refused connection names address and cause") {
    std::uint16_t port = listen_loopback().port; // closed again
    try {
        connect_tcp("127.0.0.1", port, Cancel());
        FAIL("connected");
    } catch (const Error& e) {
        REQUIRE(e.message().find("127.0.0.1:" + std::to_string(port)) != std::string::npos);
        REQUIRE(e.message().find("refused") != std::string::npos);
    }
    REQUIRE_THROWS_AS(connect_tcp("no-such-host.invalid", 80, Cancel()), Error);
}

TEST_CASE("accept can be cancelled") {
    TcpListener listener = listen_loopback();
    Cancel cancel;
    std::thread thread([&] {
        std::this_thread::sleep_for(5ms);
        cancel.cancel(Cause::User);
    });
    REQUIRE_THROWS_AS(accept_one(listener.fd.get(), cancel), Interrupted);
    thread.join();
}

TEST_CASE("unix sockets with paths of any length, private from the start") {
    TempFolder folder;
    Cancel cancel = Cancel().child(Cause::Deadline, 20s, "test");
    Path deep = folder.path();
    for (int i = 0; i < 10; ++i) deep /= "a-folder-with-a-long-name";
    std::filesystem::create_directories(deep);
    for (const Path& path : {folder.path() / "s", deep / "socket"}) {
        UniqueFd listener = listen_unix(path);
        struct stat info{};
        REQUIRE(::stat(path.c_str(), &info) == 0);
        REQUIRE((info.st_mode & 0777) == 0600);
        FdStream client(connect_unix(path, cancel));
        FdStream server(accept_one(listener.get(), cancel));
        client.write("hi", cancel);
        std::array<char, 8> buffer;
        REQUIRE(server.read(buffer, cancel) == 2);
    }
}

TEST_CASE("a leftover socket is replaced, any other file is not") {
    TempFolder folder;
    Path path = folder.path() / "s";
    listen_unix(path);
    REQUIRE_NOTHROW(listen_unix(path));
    RealFileSystem().write(folder.path() / "notes", "precious", 0644);
    REQUIRE_THROWS_AS(listen_unix(folder.path() / "notes"), Error);
    REQUIRE(RealFileSystem().read(folder.path() / "notes", 100) == "precious");
}

TEST_CASE("messages carry data and descriptors") {
    SocketPair pair = make_socket_pair();
    Cancel cancel = Cancel().child(Cause::Deadline, 20s, "test");
    Pipe pipe = make_pipe();
    std::string large(500'000, 'y');
    std::thread sender([&] {
        int fds[] = {pipe.write_end.get(), pair.first.get()};
        send_message(pair.first.get(), large, fds, cancel);
        send_message(pair.first.get(), "", {}, cancel);
        ::shutdown(pair.first.get(), SHUT_WR);
    });
    auto first = receive_message(pair.second.get(), 1 << 20, cancel);
    auto second = receive_message(pair.second.get(), 1 << 20, cancel);
    sender.join();
    REQUIRE(first);
    REQUIRE(first->data == large);
    REQUIRE(first->fds.size() == 2);
    REQUIRE((::fcntl(first->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
    REQUIRE(::write(first->fds[0].get(), "z", 1) == 1);
    char byte = 0;
    REQUIRE(::read(pipe.read_end.get(), &byte, 1) == 1);
    REQUIRE(byte == 'z');
    REQUIRE(second);
    REQUIRE(second->fds.empty());
    REQUIRE_FALSE(receive_message(pair.second.get(), 10, cancel));
}

TEST_CASE("messages from a hostile peer are refused") {
    SocketPair pair = make_socket_pair();
    Cancel cancel = Cancel().child(Cause::Deadline, 20s, "test");
    SECTION("a length over the limit") {
        REQUIRE(::send(pair.first.get(), "\xff\xff\xff\xff", 4, 0) == 4);
        REQUIRE_THROWS_AS(receive_message(pair.second.get(), 1 << 20, cancel), Error);
    }
    SECTION("cut off in the header") {
        REQUIRE(::send(pair.first.get(), "\x05", 1, 0) == 1);
        pair.first.reset();
        REQUIRE_THROWS_AS(receive_message(pair.second.get(), 1 << 20, cancel), Error);
    }
    SECTION("cut off in the data") {
        REQUIRE(::send(pair.first.get(), "\x05\0\0\0ab", 6, 0) == 6);
        pair.first.reset();
        REQUIRE_THROWS_AS(receive_message(pair.second.get(), 1 << 20, cancel), Error);
    }
    SECTION("too many descriptors in one message") {
        char byte = 1;
        iovec part{&byte, 1};
        constexpr int count = 40;
        alignas(cmsghdr) char control[CMSG_SPACE(count * sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (int i = 0; i < count; ++i)
            reinterpret_cast<int*>(CMSG_DATA(header))[i] = pair.first.get();
        REQUIRE(::sendmsg(pair.first.get(), &message, 0) == 1);
        REQUIRE_THROWS_AS(receive_message(pair.second.get(), 1 << 20, cancel), Error);
    }
}
