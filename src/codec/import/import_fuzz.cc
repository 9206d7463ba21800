#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "codec/import/importer.h"
#include "codec/job_spec_text.h"

// Any text, read as any format, gives jobs or an error, in bounded time and memory; the jobs are
// valid, what is shown of them reads back as them, and what is said is safe to print.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre;
  using codec::import::Format;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto printable = [](const std::string& line) {
    for (const char c : line) GYRE_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  };
  for (const auto format :
       {Format::Auto, Format::Dstack, Format::Skypilot, Format::Sbatch, Format::Kubernetes}) {
    const auto read = codec::import::import_jobs(text, format);
    if (!read) {
      GYRE_ASSERT(!read.error().message.empty());
      printable(read.error().message);
      continue;
    }
    GYRE_ASSERT(!read->jobs.empty() && read->format != Format::Auto);
    GYRE_ASSERT(format == Format::Auto || read->format == format);
    for (const std::string& note : read->notes) printable(note);
    for (const JobSpec& job : read->jobs) {
      const auto again = codec::read_job_spec(codec::to_json(job).value(), codec::SpecFormat::Json);
      GYRE_ASSERT(again && *again == job);
    }
  }
  return 0;
}
