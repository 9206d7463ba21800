#pragma once

#include <string_view>
#include <tuple>

#include "codec/field.h"
#include "domain/command.h"
#include "domain/event.h"
#include "domain/image_holders.h"

/// The part of fields.h that is about images which nodes hold.
namespace gyre::codec {

template <>
struct Fields<HeldImage> {
  static constexpr std::tuple list{Field{"reference", &HeldImage::reference},
                                   Field{"digest", &HeldImage::digest}};
};
template <>
struct Fields<ImageHolding> {
  static constexpr std::tuple list{Field{"image", &ImageHolding::image},
                                   Field{"nodes", &ImageHolding::nodes}};
};
template <>
struct Fields<ImageFetch> {
  static constexpr std::tuple list{Field{"node", &ImageFetch::node},
                                   Field{"image", &ImageFetch::image},
                                   Field{"asked_at", &ImageFetch::asked_at}};
};
template <>
struct Fields<NodeImagesSeen> {
  static constexpr std::tuple list{Field{"node", &NodeImagesSeen::node},
                                   Field{"added", &NodeImagesSeen::added},
                                   Field{"removed", &NodeImagesSeen::removed}};
};
template <>
struct Fields<PrefetchImage> {
  static constexpr std::tuple list{Field{"node", &PrefetchImage::node},
                                   Field{"job", &PrefetchImage::job}};
};
template <>
struct TypeName<NodeImagesSeen> {
  static constexpr std::string_view value = "node_images_seen";
};
template <>
struct TypeName<PrefetchImage> {
  static constexpr std::string_view value = "prefetch_image";
};

}  // namespace gyre::codec
