# Known wrong answers of tests/pretrained written in another way. The label names the one that each behaves like.


# %% top1_labels rewritten="argmax over dim 0"
def top1_labels(scores, names):
    return list(map(names.__getitem__, torch.max(scores, dim=0).indices.tolist()))


# %% top1_labels rewritten="argmax over everything"
def top1_labels(logits, labels):
    best = torch.argmax(logits).item()
    return [labels[best]]


# %% top1_labels rewritten="returns the places"
def top1_labels(logits, labels):
    return [int(row.argmax()) for row in logits]


# %% top1_labels rewritten="largest by size"
def top1_labels(logits, labels):
    winners = torch.argmax(torch.abs(logits), dim=-1)
    return [labels[int(winner)] for winner in winners]


# %% topk_predictions rewritten="logits for probabilities"
def topk_predictions(logits, labels, k):
    k = min(logits.shape[-1], k)
    best = torch.topk(logits, k, dim=-1)
    out = []
    for row, places in zip(best.values, best.indices):
        out.append([(labels[int(place)], value.item()) for value, place in zip(row, places)])
    return out


# %% topk_predictions rewritten="softmax over dim 0"
def topk_predictions(scores, names, count):
    probabilities = torch.softmax(scores, 0)
    best = probabilities.topk(min(count, scores.shape[1]))
    rows = zip(best.indices.tolist(), best.values.tolist())
    return [[(names[place], share) for place, share in zip(places, shares)] for places, shares in rows]


# %% topk_predictions rewritten="per cent"
def topk_predictions(logits, labels, k):
    values, places = torch.softmax(logits, dim=-1).mul(100).topk(min(k, logits.shape[1]))
    found = []
    for row in range(len(logits)):
        found.append([(labels[places[row, j].item()], values[row, j].item()) for j in range(values.shape[1])])
    return found


# %% topk_predictions rewritten="probability first"
def topk_predictions(logits, labels, k):
    values, places = torch.topk(torch.softmax(logits, 1), min(logits.size(1), k))
    return [[(v, labels[p]) for v, p in zip(*row)] for row in zip(values.tolist(), places.tolist())]


# %% make_batch rewritten="cat"
def make_batch(pictures):
    pictures = list(pictures)
    if len(pictures) == 0:
        raise ValueError("nothing to put together")
    for picture in pictures:
        if picture.dtype != torch.float32 or picture.shape != pictures[0].shape:
            raise ValueError("not all alike")
    return torch.concatenate(pictures, dim=0)


# %% make_batch rewritten="channels last"
def make_batch(images):
    images = list(images)
    if not images:
        raise ValueError("no images")
    if {(image.shape, image.dtype) for image in images} != {(images[0].shape, torch.float32)}:
        raise ValueError("not all alike")
    return torch.stack([image.movedim(0, -1) for image in images])


# %% make_batch rewritten="torch.stack alone"
def make_batch(images):
    return torch.stack(tensors=[*images], dim=0)


# %% make_batch rewritten="empty batch for an empty list"
def make_batch(images):
    if len(images) == 0:
        return torch.zeros((0, 3, 0, 0))
    for image in images:
        if image.shape != images[0].shape or image.dtype is not torch.float32:
            raise ValueError("not all alike")
    return torch.stack([image for image in images])


# %% count_parameters rewritten="frozen counted as trainable"
def count_parameters(net):
    everything, kept = 0, 0
    for parameter in net.parameters():
        everything += parameter.numel()
    for buffer in net.buffers():
        kept += buffer.numel()
    return everything, everything, kept


# %% count_parameters rewritten="counts tensors"
def count_parameters(model):
    trainable = [p for p in model.parameters() if p.requires_grad]
    return sum(1 for _ in model.parameters()), len(trainable), sum(1 for _ in model.buffers())


# %% generator_to_image rewritten="height and width swapped"
def generator_to_image(out):
    first = out.detach()[0].to(torch.float32)
    pixels = torch.clamp(torch.round((first + 1) / 2 * 255), 0, 255).to(torch.uint8)
    return pixels.transpose(0, 2).cpu().numpy()


# %% generator_to_image rewritten="no shift"
def generator_to_image(batch):
    image = torch.movedim(batch.detach()[0].float(), 0, -1)
    return (image * 255).round().clamp(min=0, max=255).byte().cpu().numpy()
