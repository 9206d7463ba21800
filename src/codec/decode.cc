#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "base/shared.h"
#include "codec/fields.h"
#include "codec/journal_codec.h"
#include "codec/printable.h"

namespace gyre::codec {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

/// The first thing that was wrong, and where. The path is put together on the way out.
struct Wrong {
  ErrorKind kind = ErrorKind::Invalid;
  std::string message;
  std::string path;

  bool at(std::string_view name) {
    path = std::string(name) + (path.empty() || path[0] == '[' ? "" : ".") + path;
    return false;
  }
  bool at(std::size_t index) {
    path = fmt::format("[{}]{}{}", index, path.empty() || path[0] == '[' ? "" : ".", path);
    return false;
  }
  bool expected(std::string_view what, element in) {
    message = fmt::format("expected {}, found {}", what, printable(simdjson::minify(in)));
    return false;
  }
};

template <class T>
requires std::is_integral_v<T>
bool read(element in, T& out, Wrong& wrong) {
  if constexpr (std::is_same_v<T, bool>) {
    return in.get(out) == simdjson::SUCCESS || wrong.expected("true or false", in);
  } else {
    using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
    Wide wide = 0;
    if (in.get(wide) != simdjson::SUCCESS || !std::in_range<T>(wide)) {
      using Limits = std::numeric_limits<T>;
      return wrong.expected(fmt::format("an integer from {} to {}", Limits::min(), Limits::max()),
                            in);
    }
    out = static_cast<T>(wide);
    return true;
  }
}

template <class Tag, class Rep>
bool read(element in, Id<Tag, Rep>& out, Wrong& wrong) {
  return read(in, out.value, wrong);
}
template <class Tag, class Rep>
bool read(element in, Quantity<Tag, Rep>& out, Wrong& wrong) {
  return read(in, out.value, wrong);
}
bool read(element in, Time& out, Wrong& wrong) { return read(in, out.ns, wrong); }
bool read(element in, Duration& out, Wrong& wrong) { return read(in, out.ns, wrong); }

template <NamedEnum E>
bool read(element in, E& out, Wrong& wrong) {
  const auto& names = EnumNames<E>::list;
  std::string_view text;
  if (in.get(text) == simdjson::SUCCESS) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] != text) continue;
      out = static_cast<E>(i);
      return true;
    }
  }
  return wrong.expected(fmt::format("one of {}", fmt::join(names, ", ")), in);
}

bool read_hex(std::string_view digits, std::string& out) {
  if (digits.size() % 2 != 0) return false;
  out.clear();
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    unsigned byte = 0;
    const char* end = digits.data() + i + 2;
    if (std::from_chars(end - 2, end, byte, 16).ptr != end) return false;
    out += static_cast<char>(byte);
  }
  return true;
}

bool read(element in, std::string& out, Wrong& wrong) {
  std::string_view text;
  if (in.get(text) == simdjson::SUCCESS) {
    out = text;
    return true;
  }
  if (in.is_object() && in["hex"].get(text) == simdjson::SUCCESS && read_hex(text, out)) {
    return true;
  }
  return wrong.expected(R"(a string, or {"hex":"..."} with two digits a byte)", in);
}

template <Described T>
bool read(element in, T& out, Wrong& wrong);

template <class T>
bool read(element in, std::optional<T>& out, Wrong& wrong) {
  if (in.is_null()) {
    out.reset();
    return true;
  }
  return read(in, out.emplace(), wrong);
}

template <class T>
bool read(element in, Shared<T>& out, Wrong& wrong) {
  T value;
  if (!read(in, value, wrong)) return false;
  out = std::move(value);
  return true;
}

bool read(element in, std::pair<std::string, std::string>& out, Wrong& wrong) {
  simdjson::dom::array pair;
  if (in.get(pair) != simdjson::SUCCESS || pair.size() != 2) {
    return wrong.expected("a list of two strings", in);
  }
  auto item = pair.begin();
  if (!read(*item, out.first, wrong)) return wrong.at(std::size_t{0});
  return read(*++item, out.second, wrong) || wrong.at(std::size_t{1});
}

template <class T>
bool read(element in, std::vector<T>& out, Wrong& wrong) {
  simdjson::dom::array list;
  if (in.get(list) != simdjson::SUCCESS) return wrong.expected("a list", in);
  out.clear();
  for (const element item : list) {
    if (!read(item, out.emplace_back(), wrong)) return wrong.at(out.size() - 1);
  }
  return true;
}

template <Described T>
bool read_fields(simdjson::dom::object in, T& out, Wrong& wrong);

template <class T, class Member>
bool read_field(simdjson::dom::object in, T& out, const Field<T, Member>& field, Wrong& wrong) {
  element found;
  if (in[field.name].get(found) != simdjson::SUCCESS) return true;
  return read(found, out.*field.member, wrong) || wrong.at(field.name);
}

template <class T, class... Alternatives>
bool read_field(simdjson::dom::object in, T& out,
                const Field<T, std::variant<Alternatives...>>& field, Wrong& wrong) {
  std::string_view type;
  if (in[field.name].get(type) != simdjson::SUCCESS) {
    wrong.message = "expected the name of a type";
    return wrong.at(field.name);
  }
  bool known = false;
  bool good = true;
  const auto attempt = [&]<class A>(std::type_identity<A>) {
    if (known || TypeName<A>::value != type) return;
    known = true;
    good = read_fields(in, (out.*field.member).template emplace<A>(), wrong);
  };
  (attempt(std::type_identity<Alternatives>{}), ...);
  if (known) return good;
  constexpr std::array kNames{TypeName<Alternatives>::value...};
  wrong.kind = ErrorKind::Unsupported;
  wrong.message = fmt::format(
      "'{}' is not a type that this version knows ({}); a newer version may have written it",
      printable(type), fmt::join(kNames, ", "));
  return wrong.at(field.name);
}

template <Described T>
bool read_fields(simdjson::dom::object in, T& out, Wrong& wrong) {
  return std::apply(
      [&](const auto&... field) { return (read_field(in, out, field, wrong) && ...); },
      Fields<T>::list);
}

template <Described T>
bool read(element in, T& out, Wrong& wrong) {
  simdjson::dom::object object;
  if (in.get(object) != simdjson::SUCCESS) return wrong.expected("an object", in);
  return read_fields(object, out, wrong);
}

template <class T>
Result<T> decoded(std::string_view text, std::string_view what) {
  // Keeps its buffers from record to record; what one big part made it take is given back.
  thread_local simdjson::dom::parser parser;
  constexpr std::size_t kBufferKeptMax = 1U << 20U;
  element root;
  if (const auto error = parser.parse(text.data(), text.size()).get(root)) {
    return fail(ErrorKind::Invalid, "{} is not JSON: {}", what, simdjson::error_message(error));
  }
  T out;
  Wrong wrong;
  const bool good = read(root, out, wrong);
  if (text.size() > kBufferKeptMax) parser = simdjson::dom::parser();
  if (good) return out;
  return fail(wrong.kind, "{}{}{}: {}", what, wrong.path.empty() ? "" : ", field ", wrong.path,
              wrong.message);
}

}  // namespace

Result<Event> decode_event(std::string_view text) { return decoded<Event>(text, "event"); }
Result<Command> decode_command(std::string_view text) { return decoded<Command>(text, "command"); }
Result<Job> decode_job(std::string_view text) { return decoded<Job>(text, "job"); }

Result<NodeSpec> decode_node(std::string_view text) { return decoded<NodeSpec>(text, "node"); }
Result<Launch> decode_launch(std::string_view text) { return decoded<Launch>(text, "launch"); }
Result<TaskExit> decode_exit(std::string_view text) { return decoded<TaskExit>(text, "exit"); }
Result<StartStages> decode_stages(std::string_view text) {
  return decoded<StartStages>(text, "stages");
}

Result<ControllerState> decode_state(std::span<const std::string> parts) {
  if (parts.empty()) return fail(ErrorKind::Invalid, "a snapshot without parts");
  auto state = decoded<ControllerState>(parts.front(), "snapshot");
  if (!state) return state;
  for (const std::string& part : parts.subspan(1)) {
    auto jobs = decoded<std::vector<Job>>(part, "snapshot's jobs");
    if (!jobs) return tl::unexpected(jobs.error());
    std::move(jobs->begin(), jobs->end(), std::back_inserter(state->jobs));
  }
  return state;
}

}  // namespace gyre::codec
