#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "base/shared.h"
#include "codec/fields.h"
#include "codec/journal_codec.h"

namespace gyre::codec {
namespace {

constexpr std::size_t kJobsPerPart = 1000;

/// Writes values as JSON text behind what `out` holds. A building library would copy each value
/// into a tree first, which costs more than all of the writing.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class T>
  requires std::is_integral_v<T>
  void value(T number) {
    if constexpr (std::is_same_v<T, bool>) {
      out_ += number ? "true" : "false";
    } else {
      const fmt::format_int digits(number);
      out_.append(digits.data(), digits.size());
    }
  }

  template <class Tag, class Rep>
  void value(Id<Tag, Rep> id) {
    value(id.value);
  }
  template <class Tag, class Rep>
  void value(Quantity<Tag, Rep> quantity) {
    value(quantity.value);
  }
  void value(Time time) { value(time.ns); }
  void value(Duration duration) { value(duration.ns); }

  template <NamedEnum E>
  void value(E named) {
    const auto index = static_cast<std::size_t>(named);
    GYRE_ASSERT(index < EnumNames<E>::list.size());
    quote(EnumNames<E>::list[index]);
  }

  void value(const std::string& text) {
    if (simdjson::validate_utf8(text.data(), text.size())) {
      quote(text);
    } else {
      out_ += R"({"hex":")";
      for (const char c : text) fmt::format_to(std::back_inserter(out_), "{:02x}", c & 0xff);
      out_ += "\"}";
    }
  }

  template <class T>
  void value(const std::optional<T>& optional) {
    if (optional) {
      value(*optional);
    } else {
      out_ += "null";
    }
  }

  template <class T>
  void value(const Shared<T>& shared) {
    value(*shared);
  }

  void value(const std::pair<std::string, std::string>& pair) {
    out_ += '[';
    value(pair.first);
    out_ += ',';
    value(pair.second);
    out_ += ']';
  }

  template <class T>
  void value(const std::vector<T>& list) {
    values(std::span<const T>(list));
  }

  template <class T>
  void values(std::span<const T> list) {
    out_ += '[';
    for (const T& item : list) {
      if (&item != list.data()) out_ += ',';
      value(item);
    }
    out_ += ']';
  }

  template <Described T>
  void value(const T& object) {
    out_ += '{';
    bool first = true;
    fields(object, first);
    out_ += '}';
  }

 private:
  template <Described T>
  void fields(const T& object, bool& first) {
    [[maybe_unused]] static const T kDefault{};
    std::apply([&](const auto&... field) { (this->field(object, kDefault, field, first), ...); },
               Fields<T>::list);
  }

  template <class T, class Member>
  void field(const T& object, const T& standard, const Field<T, Member>& field, bool& first) {
    if (object.*field.member == standard.*field.member) return;
    key(field.name, first);
    value(object.*field.member);
  }

  template <class T, class... Alternatives>
  void field(const T& object, const T&, const Field<T, std::variant<Alternatives...>>& field,
             bool& first) {
    std::visit(
        [&]<class A>(const A& alternative) {
          key(field.name, first);
          quote(TypeName<A>::value);
          fields(alternative, first);
        },
        object.*field.member);
  }

  void key(std::string_view name, bool& first) {
    if (!first) out_ += ',';
    first = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }

  void quote(std::string_view text) {
    const auto plain = [](char c) {
      return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
    };
    out_ += '"';
    for (auto at = text.begin(); at != text.end();) {
      const auto end = std::find_if_not(at, text.end(), plain);
      out_.append(at, end);
      at = end;
      if (at != text.end()) escape(*at++);
    }
    out_ += '"';
  }

  void escape(char c) {
    switch (c) {
      case '"':
        out_ += "\\\"";
        break;
      case '\\':
        out_ += "\\\\";
        break;
      case '\n':
        out_ += "\\n";
        break;
      case '\t':
        out_ += "\\t";
        break;
      default:
        fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned>(c));
    }
  }

  std::string& out_;
};

template <class T>
std::string encoded(const T& object) {
  std::string out;
  out.reserve(256);
  Writer(out).value(object);
  return out;
}

}  // namespace

std::string encode(const Event& event) { return encoded(event); }
std::string encode(const Command& command) { return encoded(command); }
std::string encode(const Job& job) { return encoded(job); }
std::string encode(const Transition& transition) { return encoded(transition); }
std::string encode(const NodeSpec& node) { return encoded(node); }
std::string encode(const Launch& launch) { return encoded(launch); }
std::string encode(const TaskExit& exit) { return encoded(exit); }
std::string encode(const StartStages& stages) { return encoded(stages); }

std::vector<std::string> encode(const ControllerState& state) {
  std::vector<std::string> parts{encoded(state)};
  for (std::span<const Job> rest(state.jobs); !rest.empty();) {
    const auto part = rest.first(std::min(rest.size(), kJobsPerPart));
    Writer(parts.emplace_back()).values(part);
    rest = rest.subspan(part.size());
  }
  return parts;
}

}  // namespace gyre::codec
