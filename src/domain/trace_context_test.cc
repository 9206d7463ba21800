#include "domain/trace_context.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace gyre {
namespace {

constexpr std::string_view kExample = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, ReadsTheStandardsExample) {
  const auto context = parse_trace_parent(kExample);
  ASSERT_TRUE(context);
  EXPECT_EQ(trace_id_text(*context), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(span_id_text(context->span), "b7ad6b7169203331");
  EXPECT_TRUE(context->sampled());
  EXPECT_EQ(to_string(*context), kExample);
}

TEST(TraceContext, RefusesWhatTheStandardRefuses) {
  for (const std::string_view bad : {
           "",
           "00",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
       }) {
    EXPECT_FALSE(parse_trace_parent(bad)) << bad;
  }
}

TEST(TraceContext, OfALaterVersionReadsWhatIsKnown) {
  const auto later =
      parse_trace_parent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-what.comes");
  ASSERT_TRUE(later);
  EXPECT_FALSE(later->sampled());
}

TEST(TraceContext, IsReadAsWritten) {
  rc::check("any context", [](std::uint64_t high, std::uint64_t low, std::uint64_t span) {
    RC_PRE((high | low) != 0 && span != 0);
    const TraceContext context{high, low, span, *rc::gen::arbitrary<std::uint8_t>()};
    RC_ASSERT(parse_trace_parent(to_string(context)) == context);
  });
}

TEST(TraceContext, DerivedSpansDifferAndStayTheSame) {
  const TraceContext context = *parse_trace_parent(kExample);
  std::set<std::uint64_t> spans;
  for (std::int32_t attempt = 0; attempt < 20; ++attempt) {
    for (std::int32_t rank = 0; rank < 20; ++rank) {
      spans.insert(derived_span(context, "run", attempt, rank));
      spans.insert(derived_span(context, "start", attempt, rank));
    }
  }
  EXPECT_EQ(spans.size(), 800U);
  EXPECT_EQ(derived_span(context, "run", 1, 2), 0xd1f596cba6877648U);
}

}  // namespace
}  // namespace gyre
