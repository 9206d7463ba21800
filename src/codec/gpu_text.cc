#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/units.h"
#include "codec/job_spec_text.h"
#include "codec/printable.h"

namespace gyre::codec {
namespace {

constexpr std::string_view kGrammar =
    "write [vendor:]model[,model][:memory][:count], as in H100:80GB:8, or a number, as in 0.5";
constexpr std::size_t kModelsMax = 32;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool starts_with_digit(std::string_view text) {
  return !text.empty() && text[0] >= '0' && text[0] <= '9';
}

// A number with an optional fraction and nothing behind it.
bool is_number(std::string_view text) {
  return starts_with_digit(text) && text.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_memory(std::string_view text) {
  return starts_with_digit(text) && parse_memory(text).has_value();
}

// Each part is known by its look, and the parts come in the order of the grammar.
class GpuParser {
 public:
  GpuParser(std::string_view whole, Request& request) : whole_(whole), request_(request) {}

  Result<void> parse() {
    auto parts = split(whole_, ':');
    std::size_t at = 0;
    if (is_vendor(parts[at])) {
      if (parts[at] != "nvidia") {
        return fail(ErrorKind::Unsupported, "GPUs of '{}' are not supported yet; 'nvidia' are",
                    parts[at]);
      }
      if (++at == parts.size()) return wrong("a vendor without a model");
    }
    request_.gpus = 1;
    request_.gpu_models.clear();
    request_.gpu_memory = {};
    if (!starts_with_digit(parts[at])) {
      if (auto done = models(parts[at]); !done) return done;
      ++at;
    }
    if (at < parts.size() && looks_like_memory(parts[at])) {
      if (auto done = memory(parts[at]); !done) return done;
      ++at;
    }
    if (at + 1 < parts.size()) {
      return wrong(fmt::format("'{}' stands behind the count", printable(parts[at + 1])));
    }
    return at < parts.size() ? count(parts[at]) : Result<void>();
  }

 private:
  static bool is_vendor(std::string_view part) {
    constexpr std::array<std::string_view, 3> kVendors{"nvidia", "amd", "intel"};
    return std::find(kVendors.begin(), kVendors.end(), part) != kVendors.end();
  }

  static bool looks_like_memory(std::string_view part) {
    const std::string_view low = part.substr(0, part.find(".."));
    return !is_number(low) && is_memory(low);
  }

  tl::unexpected<Error> wrong(std::string_view what) const {
    return fail(ErrorKind::Invalid, "'{}' is no GPU request: {}; {}", printable(whole_), what,
                kGrammar);
  }

  Result<void> models(std::string_view part) {
    const auto names = split(part, ',');
    if (names.size() > kModelsMax) {
      return wrong(fmt::format("{} models; at most {}", names.size(), kModelsMax));
    }
    for (const std::string_view name : names) {
      if (!is_valid_name(name) || starts_with_digit(name)) {
        return wrong(fmt::format("'{}' is no model", printable(name)));
      }
      request_.gpu_models.emplace_back(name);
    }
    return {};
  }

  Result<void> memory(std::string_view part) {
    const std::size_t range = part.find("..");
    if (range != std::string_view::npos && range + 2 != part.size()) {
      return fail(ErrorKind::Unsupported,
                  "'{}': a greatest memory is not supported yet; write the least, as in 80GB..",
                  printable(part));
    }
    request_.gpu_memory = parse_memory(part.substr(0, range)).value();
    return {};
  }

  Result<void> count(std::string_view part) {
    if (part.find("..") != std::string_view::npos) {
      return fail(ErrorKind::Unsupported,
                  "'{}': a range of counts is not supported yet; write one number",
                  printable(part));
    }
    double number = 0;
    const char* end = part.data() + part.size();
    const auto read = std::from_chars(part.data(), end, number);
    if (!is_number(part) || read.ec != std::errc{} || read.ptr != end) {
      return wrong(fmt::format("'{}' is no count", printable(part)));
    }
    if (number > kGpusPerTaskMax) {
      return wrong(fmt::format("a task asks for at most {} GPUs", kGpusPerTaskMax));
    }
    const auto milli = static_cast<std::int32_t>(number * 1000 + 0.5);
    if (number > 0 && milli == 0) return wrong("the least share of a GPU is 0.001");
    if (milli > 1000 && milli % 1000 != 0) {
      return wrong("more than one GPU is asked for in whole ones");
    }
    if (milli == 0 && (!request_.gpu_models.empty() || request_.gpu_memory.value > 0)) {
      return wrong("a model or memory, and none of them; leave it out, or write 0 alone");
    }
    request_.gpus = milli > 0 ? std::max(1, milli / 1000) : 0;
    request_.gpu_milli = milli > 0 && milli < 1000 ? GpuMilli{milli} : kWholeGpu;
    return {};
  }

  std::string_view whole_;
  Request& request_;
};

}  // namespace

Result<void> parse_gpu(std::string_view text, Request& request) {
  Request parsed = request;
  auto done = GpuParser(text, parsed).parse();
  if (done) request = std::move(parsed);
  return done;
}

std::string format_gpu(const Request& request) {
  if (request.gpus == 0) return "";
  std::string out = fmt::format("{}", fmt::join(request.gpu_models, ","));
  const auto add = [&out](const std::string& part) { out += (out.empty() ? "" : ":") + part; };
  if (request.gpu_memory.value % 1024 != 0) {
    add(fmt::format("{}MB", request.gpu_memory.value));
  } else if (request.gpu_memory.value != 0) {
    add(fmt::format("{}GB", request.gpu_memory.value / 1024));
  }
  if (request.gpu_milli < kWholeGpu) {
    add(fmt::format("{}", request.gpu_milli.value / 1000.0));
  } else if (request.gpus != 1 || out.empty()) {
    add(fmt::format("{}", request.gpus));
  }
  return out;
}

bool is_valid_name(std::string_view name) {
  const auto letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const auto legal = [&](char c) { return letter_or_digit(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= kNameBytesMax && letter_or_digit(name[0]) &&
         std::all_of(name.begin(), name.end(), legal);
}

}  // namespace gyre::codec
