# Answers that fail and behave like none of the known ones: no message is right for them.


# %% top1_labels unknown="the second best"
def top1_labels(logits, labels):
    return [labels[place] for place in logits.sort(dim=1).indices[:, -min(2, logits.shape[1])].tolist()]


# %% top1_labels unknown="in capitals"
def top1_labels(logits, labels):
    return [labels[place].upper() for place in logits.argmax(dim=1).tolist()]


# %% top1_labels unknown="drawn at random"
import random


def top1_labels(logits, labels):
    return [random.choice(labels) + str(random.random()) for _ in logits]


# %% topk_predictions unknown="one more than asked for"
def topk_predictions(logits, labels, k):
    values, places = logits.softmax(dim=1).topk(min(k + 1, logits.shape[1]), dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions unknown="log-probabilities"
def topk_predictions(logits, labels, k):
    values, places = logits.log_softmax(dim=1).topk(min(k, logits.shape[1]), dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions unknown="at a temperature of 2"
def topk_predictions(logits, labels, k):
    values, places = (logits / 2).softmax(dim=1).topk(min(k, logits.shape[1]), dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% make_batch unknown="in reverse"
def make_batch(images):
    if not images or any(image.shape != images[0].shape or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    return torch.stack(list(images)[::-1])


# %% make_batch unknown="doubled"
def make_batch(images):
    if not images or any(image.shape != images[0].shape or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    return 2 * torch.stack(list(images))


# %% make_batch unknown="mirrored"
def make_batch(images):
    if not images or any(image.shape != images[0].shape or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    return torch.stack(list(images)).flip(-1)


# %% count_parameters unknown="a dict"
def count_parameters(model):
    return {"all": sum(p.numel() for p in model.parameters())}


# %% count_parameters unknown="the trainable ones first"
def count_parameters(model):
    total = sum(p.numel() for p in model.parameters())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return trainable, total, sum(b.numel() for b in model.buffers())


# %% generator_to_image unknown="a negative"
def generator_to_image(out):
    pixels = ((1 - out.detach()[0].float()) / 2 * 255).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(1, 2, 0).cpu().numpy()
