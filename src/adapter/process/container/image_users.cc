#include "adapter/process/container/image_users.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "adapter/process/container/plan.h"
#include "adapter/process/files.h"

namespace gyre::process {
namespace {

constexpr std::size_t kFileBytesMax = 1U << 20U;

std::optional<std::int64_t> id_in(std::string_view text) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool whole = error == std::errc{} && end == text.data() + text.size() && !text.empty();
  if (!whole || id < 0 || id >= kUserIds) return std::nullopt;
  return id;
}

std::string_view take_until(std::string_view& rest, char mark) {
  const std::size_t end = std::min(rest.find(mark), rest.size());
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return taken;
}

/// The fields of the line whose field `index` is `value`; empty where there is none.
std::vector<std::string_view> line_where(std::string_view text, std::size_t index,
                                         std::string_view value) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    std::vector<std::string_view> fields;
    while (!line.empty()) fields.push_back(take_until(line, ':'));
    if (fields.size() > index && fields[index] == value) return fields;
  }
  return {};
}

std::string read_below(const std::string& root, const char* path) {
  const Fd top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const Fd file(static_cast<int>(::syscall(SYS_openat2, top.get(), path, &how, sizeof how)));
  return file ? read_all(file, kFileBytesMax).value_or("") : "";
}

}  // namespace

Result<ContainerUser> find_user(std::string_view wanted, std::string_view passwd,
                                std::string_view group) {
  std::string_view rest = wanted.empty() ? "0" : wanted;
  const std::string_view name = take_until(rest, ':');
  ContainerUser user;
  const auto number = id_in(name);
  const auto line = line_where(passwd, number ? 2 : 0, name);
  const auto listed = line.size() > 3 ? id_in(line[2]) : std::nullopt;
  if (!number && !listed) {
    return fail(ErrorKind::Invalid,
                "there is no user '{}' in the image's /etc/passwd; give a number below {}", name,
                kUserIds);
  }
  user.uid = number ? *number : *listed;
  if (line.size() > 3) user.gid = id_in(line[3]).value_or(0);
  if (line.size() > 5 && line[5].starts_with('/')) user.home = line[5];
  if (rest.empty()) return user;
  const auto group_number = id_in(rest);
  const auto group_line = line_where(group, 0, rest);
  const auto group_listed = group_line.size() > 2 ? id_in(group_line[2]) : std::nullopt;
  if (!group_number && !group_listed) {
    return fail(ErrorKind::Invalid,
                "there is no group '{}' in the image's /etc/group; give a number below {}", rest,
                kUserIds);
  }
  user.gid = group_number ? *group_number : *group_listed;
  return user;
}

Result<ContainerUser> find_user(const std::string& root, const std::string& wanted) {
  return find_user(wanted, read_below(root, "etc/passwd"), read_below(root, "etc/group"));
}

}  // namespace gyre::process
