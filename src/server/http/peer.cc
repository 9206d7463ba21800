#include "server/http/peer.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace gyre::server::http {
namespace {

struct DiagRequest {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

DiagRequest diag_request(const LoopbackPair& pair) {
  DiagRequest request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = pair.ipv6 ? AF_INET6 : AF_INET;
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = 1U << TCP_ESTABLISHED;
  request.body.id.idiag_sport = htons(pair.client_port);
  request.body.id.idiag_dport = htons(pair.server_port);
  std::memcpy(request.body.id.idiag_src, pair.client_address, 16);
  std::memcpy(request.body.id.idiag_dst, pair.server_address, 16);
  request.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return request;
}

/// The kernel's answer about one socket; Unsupported where it has no such service.
Result<uid_t> ask_kernel(const LoopbackPair& pair) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return fail(ErrorKind::Unsupported, "no sock_diag: {}", std::strerror(errno));
  const DiagRequest request = diag_request(pair);
  alignas(nlmsghdr) char answer[4096];
  ssize_t size = send(fd, &request, sizeof(request), 0);
  if (size > 0) size = recv(fd, answer, sizeof(answer), 0);
  close(fd);
  if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(int)))) {
    return fail(ErrorKind::Unsupported, "sock_diag does not answer");
  }
  nlmsghdr header;
  std::memcpy(&header, answer, sizeof(header));
  if (header.nlmsg_type == NLMSG_ERROR) {
    int error = 0;
    std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof(error));
    if (error == -ENOENT) return fail(ErrorKind::NotFound, "no such connection");
    return fail(ErrorKind::Unsupported, "sock_diag: {}", std::strerror(-error));
  }
  inet_diag_msg message;
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
      size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(message)))) {
    return fail(ErrorKind::Unsupported, "sock_diag answers in an unknown form");
  }
  std::memcpy(&message, answer + NLMSG_HDRLEN, sizeof(message));
  // A closed socket's owner reads as 0, and without the state a stranger's would pass as root's.
  if (message.idiag_state != TCP_ESTABLISHED || message.idiag_inode == 0 ||
      message.id.idiag_sport != htons(pair.client_port) ||
      message.id.idiag_dport != htons(pair.server_port)) {
    return fail(ErrorKind::NotFound, "the connection is closing");
  }
  return message.idiag_uid;
}

/// An end as the table shows it: the address in words of the machine's byte order, then the port.
std::string table_end(bool ipv6, const unsigned char* address, std::uint16_t port) {
  std::string text;
  for (int i = 0; i < (ipv6 ? 4 : 1); ++i) {
    std::uint32_t word = 0;
    std::memcpy(&word, address + 4 * i, 4);
    text += fmt::format("{:08X}", word);
  }
  return text + fmt::format(":{:04X}", port);
}

}  // namespace

std::optional<uid_t> owner_in_table(const LoopbackPair& pair, const std::string& table) {
  const std::string local = table_end(pair.ipv6, pair.client_address, pair.client_port);
  const std::string remote = table_end(pair.ipv6, pair.server_address, pair.server_port);
  std::istringstream lines(table);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string slot, from, to, state, queues, timer, retransmits;
    uid_t uid = 0;
    if (!(fields >> slot >> from >> to >> state >> queues >> timer >> retransmits >> uid)) continue;
    if (from == local && to == remote && state == "01") return uid;
  }
  return std::nullopt;
}

Result<uid_t> owner_of_client(const LoopbackPair& pair) {
  const Result<uid_t> asked = ask_kernel(pair);
  if (asked || asked.error().kind == ErrorKind::NotFound) return asked;
  std::ifstream file(pair.ipv6 ? "/proc/net/tcp6" : "/proc/net/tcp");
  std::ostringstream table;
  table << file.rdbuf();
  if (const auto owner = owner_in_table(pair, table.str())) return *owner;
  return fail(ErrorKind::NotFound, "no such connection in /proc/net/tcp ({})",
              asked.error().message);
}

}  // namespace gyre::server::http
